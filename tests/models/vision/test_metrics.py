from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from models.vision.metrics import FEW_CLASSES, Counts

RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet([0.5] * 4, 300)
CLASSES = RANDOM.integers(0, 4, 300)
LABELS = ("a", "b", "c/d é", "e")


def test_they_are_what_scikit_learn_says() -> None:
    seen = Counts.of(PROBABILITIES, CLASSES).metrics(LABELS)
    assert seen["accuracy"] == pytest.approx(accuracy_score(CLASSES, PROBABILITIES.argmax(axis=1)))
    assert seen["log_loss"] == pytest.approx(log_loss(CLASSES, PROBABILITIES, labels=range(4)), rel=1e-6)
    of_c = PROBABILITIES[CLASSES == 2].argmax(axis=1)
    assert seen["accuracy.c/d é".replace("/", "_").replace("é", "_")] == pytest.approx((of_c == 2).mean())


def test_counts_of_batches_add_up_to_those_of_all() -> None:
    whole = Counts.of(PROBABILITIES, CLASSES)
    parts = Counts.of(PROBABILITIES[:0], CLASSES[:0])
    for start in range(0, 300, 70):
        parts += Counts.of(PROBABILITIES[start : start + 70], CLASSES[start : start + 70])
    assert parts.metrics(LABELS) == pytest.approx(whole.metrics(LABELS))
    assert parts.confusion(LABELS) == whole.confusion(LABELS)
    assert sum(map(sum, whole.confusion(LABELS).counts)) == 300


@pytest.mark.parametrize(
    ("sure", "right", "error"),
    [(0.9, 0.9, 0.0), (0.9, 0.5, 0.4), (0.6, 1.0, 0.4)],
    ids=["as sure as right", "too sure", "not sure enough"],
)
def test_the_error_of_calibration_is_how_much_surer_than_right_it_is(sure: float, right: float, error: float) -> None:
    said = np.tile([sure, 1 - sure], (10, 1))
    classes = (np.arange(10) >= 10 * right).astype(np.int64)
    seen = Counts.of(said, classes)
    assert seen.metrics(("a", "b"))["calibration_error"] == pytest.approx(error)
    told = seen.reliability()
    assert (told.counts, *told.predicted, *told.seen) == ((10,), pytest.approx(sure), pytest.approx(right))


def test_a_class_that_nobody_gave_a_chance_costs_much_and_not_everything() -> None:
    seen = Counts.of(np.array([[1.0, 0.0]]), np.array([1])).metrics(("a", "b"))
    assert seen["log_loss"] == pytest.approx(-math.log(1e-15))
    assert seen["accuracy"] == 0


def test_a_network_that_diverged_has_no_metric_that_is_a_number() -> None:
    seen = Counts.of(np.full((3, 2), np.nan), np.array([0, 1, 0])).metrics(("a", "b"))
    assert all(map(math.isnan, seen.values()))


def test_of_many_classes_none_has_a_metric_of_its_own() -> None:
    classes = FEW_CLASSES + 1
    seen = Counts.of(np.full((2, classes), 1 / classes), np.array([0, 1])).metrics(list(map(str, range(classes))))
    assert seen.keys() == {"accuracy", "log_loss", "calibration_error"}
    assert Counts.of(PROBABILITIES[:0], CLASSES[:0]).metrics(LABELS) == {}
