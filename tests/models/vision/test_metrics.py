from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from models.vision.metrics import FEW_CLASSES, Counts, of_classes

RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet([0.5] * 4, 300)
CLASSES = RANDOM.integers(0, 4, 300)
LABELS = ("a", "b", "c/d é", "e")


def test_they_are_what_scikit_learn_says() -> None:
    seen = Counts.of(PROBABILITIES, CLASSES).metrics()
    assert seen["accuracy"] == pytest.approx(accuracy_score(CLASSES, PROBABILITIES.argmax(axis=1)))
    assert seen["log_loss"] == pytest.approx(log_loss(CLASSES, PROBABILITIES, labels=range(4)), rel=1e-6)


def test_each_class_that_has_images_is_judged_by_itself() -> None:
    there = CLASSES != 1
    found = of_classes({"candidate": Counts.of(PROBABILITIES[there], CLASSES[there])}, LABELS)
    assert {label: each.units for label, each in found.items()} == {
        label: np.count_nonzero(number == CLASSES) for number, label in enumerate(LABELS) if number != 1
    }
    own = CLASSES == 2
    assert found["c/d é"].metrics["candidate"] == {
        "accuracy": pytest.approx((PROBABILITIES[own].argmax(axis=1) == 2).mean()),
        "log_loss": pytest.approx(-np.log(PROBABILITIES[own, 2]).mean()),
    }


def test_counts_of_batches_add_up_to_those_of_all() -> None:
    whole = Counts.of(PROBABILITIES, CLASSES)
    parts = Counts.of(PROBABILITIES[:0], CLASSES[:0])
    for start in range(0, 300, 70):
        parts += Counts.of(PROBABILITIES[start : start + 70], CLASSES[start : start + 70])
    assert parts.metrics() == pytest.approx(whole.metrics())
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
    assert seen.metrics()["calibration_error"] == pytest.approx(error)
    told = seen.reliability()
    assert (told.counts, *told.predicted, *told.seen) == ((10,), pytest.approx(sure), pytest.approx(right))


def test_a_class_that_nobody_gave_a_chance_costs_much_and_not_everything() -> None:
    seen = Counts.of(np.array([[1.0, 0.0]]), np.array([1])).metrics()
    assert seen["log_loss"] == pytest.approx(-math.log(1e-15))
    assert seen["accuracy"] == 0


def test_a_network_that_diverged_has_no_metric_that_is_a_number() -> None:
    seen = Counts.of(np.full((3, 2), np.nan), np.array([0, 1, 0]))
    assert all(map(math.isnan, [*seen.metrics().values(), *seen.of_class(1).values()]))


def test_of_many_classes_none_is_judged_by_itself() -> None:
    classes = FEW_CLASSES + 1
    seen = Counts.of(np.full((2, classes), 1 / classes), np.array([0, 1]))
    assert of_classes({"candidate": seen}, list(map(str, range(classes)))) == {}
    assert Counts.of(PROBABILITIES[:0], CLASSES[:0]).metrics() == {}
