from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from models.metrics import (
    area_under_curve,
    average_precision,
    calibration,
    calibration_error,
    chance,
    log_loss,
    log_odds,
    state,
)
from models.thresholds import best_threshold, cost, decided, threshold_of

ALL = (area_under_curve, average_precision, log_loss, calibration_error)


def made_up(rows: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    """Log-odds, targets and weights."""
    random = np.random.default_rng(seed)
    targets = (random.random(rows) < 0.15).astype(np.int8)
    targets[:2] = 0, 1
    weights = random.poisson(1, rows).astype(float)
    weights[:2] = 1
    return random.normal(size=rows) * 2 + targets * 1.5 - 2, targets, weights


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("rows", [1_000, 50_000])
def test_they_are_what_scikit_learn_says(rows: int, weighed: bool) -> None:  # noqa: FBT001
    scores, targets, drawn = made_up(rows)
    weights = drawn if weighed else None
    sums = state(scores, targets, weights)
    for own, other, given_ in (
        (area_under_curve, sklearn.roc_auc_score, scores),
        (average_precision, sklearn.average_precision_score, scores),
        (log_loss, sklearn.log_loss, chance(scores)),
    ):
        assert own(sums) == pytest.approx(other(targets, given_, sample_weight=weights), abs=1e-4), own.__name__


@given(st.integers(0, 50), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_sums_of_parts_are_those_of_the_whole(seed: int, parts: int) -> None:
    scores, targets, weights = made_up(200, seed)
    pieces = zip(*(np.array_split(each, parts) for each in (scores, targets, weights)), strict=True)
    added = sum((state(*piece) for piece in pieces), np.zeros((3, 2**14)))
    np.testing.assert_allclose(added, state(scores, targets, weights))


def test_a_weight_is_how_often_a_row_counts() -> None:
    scores, targets, weights = made_up(300)
    often = np.repeat(np.arange(300), weights.astype(int))
    np.testing.assert_allclose(state(scores, targets, weights), state(scores[often], targets[often]))


def test_equal_scores_are_as_good_as_chance() -> None:
    _, targets, _ = made_up(500)
    sums = state(np.zeros(500), targets)
    assert area_under_curve(sums) == 0.5
    assert average_precision(sums) == pytest.approx(targets.mean())
    assert log_loss(sums) == pytest.approx(math.log(2))


def test_whoever_is_sure_and_wrong_pays_for_it_but_not_without_end() -> None:
    sums = state(np.array([np.inf, -np.inf]), np.array([0, 1]))
    assert log_loss(sums) == pytest.approx(16, abs=1e-6)
    assert area_under_curve(sums) == 0


def test_a_mistake_costs_what_it_is_said_to() -> None:
    sums = state(log_odds(np.array([0.1, 0.4, 0.6, 0.9])), np.array([1, 0, 0, 1]))
    assert cost(sums, 0.5, of_missed=5, of_alarm=1) == pytest.approx((5 + 1) / 4)
    assert cost(sums, 0.05, of_missed=5, of_alarm=1) == pytest.approx(2 / 4)
    assert cost(sums, 0.95, of_missed=5, of_alarm=1) == pytest.approx(10 / 4)


@given(st.integers(0, 50), st.floats(-20, 20))
@settings(max_examples=30, deadline=None)
def test_a_threshold_parts_the_targets(seed: int, threshold: float) -> None:
    scores, targets, weights = made_up(300, seed)
    found = decided(state(scores, targets, weights), threshold)
    near = np.abs(scores - threshold) > 2 * 16 / 2**14  # a bin
    taken = np.clip(scores, -16, 16) >= np.clip(threshold, -16, 16)
    exact = (taken & (targets == 1), ~taken & (targets == 1), taken & (targets == 0), ~taken & (targets == 0))
    for seen, wanted in zip(found, exact, strict=True):
        assert abs(seen - weights[wanted].sum()) <= weights[~near].sum()
    assert sum(found) == pytest.approx(weights.sum())


@given(st.integers(0, 50), st.floats(0.01, 0.99))
@settings(max_examples=30, deadline=None)
def test_a_threshold_is_the_lowest_that_passes_enough(seed: int, specificity: float) -> None:
    scores, targets, _ = made_up(300, seed)
    sums = state(scores, targets)
    threshold = threshold_of(sums, specificity)
    assert decided(sums, threshold).specificity >= specificity
    assert decided(sums, threshold - 2 * 16 / 2**14).specificity < specificity


@given(st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    scores, targets, _ = made_up(200, seed)
    sums = state(scores, targets)
    best = decided(sums, best_threshold(sums))
    for threshold in np.linspace(-16, 16, 400):
        other = decided(sums, threshold)
        assert best.sensitivity + best.specificity >= other.sensitivity + other.specificity - 1e-9


def test_the_best_threshold_is_in_the_middle_of_what_parts_both_kinds() -> None:
    sums = state(np.array([-3.0, -2.0, 4.0, 5.0]), np.array([0, 0, 1, 1]))
    assert best_threshold(sums) == pytest.approx(1.0, abs=0.01)
    assert best_threshold(state(np.array([1.0]), np.array([1]))) == 0


def test_without_anything_to_pass_the_threshold_is_even_chance() -> None:
    assert threshold_of(state(np.array([1.0, 2.0]), np.array([1, 1])), 0.95) == 0
    assert threshold_of(state(np.empty(0), np.empty(0)), 0.95) == 0
    assert math.isnan(decided(state(np.array([1.0]), np.array([1])), 0.0).specificity)


def test_chances_that_come_true_are_calibrated_and_others_are_not() -> None:
    random = np.random.default_rng(0)
    true = random.random(200_000)
    targets = (random.random(len(true)) < true).astype(np.int8)
    found = calibration(state(log_odds(true), targets), 10)
    np.testing.assert_allclose(found.predicted, np.arange(0.05, 1, 0.1), atol=0.005)
    np.testing.assert_allclose(found.seen, found.predicted, atol=0.01)
    assert found.weight.sum() == len(true)
    assert calibration_error(state(log_odds(true), targets)) < 0.005
    assert calibration_error(state(log_odds(true / 2), targets)) == pytest.approx(0.25, abs=0.01)


def test_a_model_that_diverged_has_no_metric() -> None:
    sums = state(np.array([np.nan, 1.0]), np.array([0, 1]))
    assert all(math.isnan(metric(sums)) for metric in ALL)
    assert math.isnan(cost(sums, 0.5, of_missed=1, of_alarm=1))


@pytest.mark.parametrize("targets", [[0, 0], [1, 1]])
def test_one_kind_alone_cannot_be_told_from_another(targets: list[int]) -> None:
    assert math.isnan(area_under_curve(state(np.array([0.0, 1.0]), np.array(targets))))
