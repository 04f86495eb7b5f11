from __future__ import annotations

import numpy as np
import pytest

from models.calibration import Calibration, calibrated
from models.metrics import calibration_error, log_loss, state


def drawn(log_odds: np.ndarray, seed: int) -> np.ndarray:
    """Let it come as often as log-odds say."""
    return np.random.default_rng(seed).random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (3.0, -1.5), (0.25, 2.0)])
def test_what_was_stretched_and_moved_is_put_right(scale: float, offset: float) -> None:
    true = np.random.default_rng(1).normal(0, 2, 20_000)
    targets = drawn(true, seed=2)
    found = calibrated(scale * true + offset, targets)
    assert found.scale == pytest.approx(1 / scale, rel=0.06)
    assert found.offset == pytest.approx(-offset / scale, abs=0.1)
    assert calibration_error(state(found(scale * true + offset), targets)) < 0.01


def test_it_loses_less_and_keeps_the_order() -> None:
    said = np.random.default_rng(3).normal(4, 9, 500)
    targets = drawn(said / 6 - 1, seed=4)
    found = calibrated(said, targets)
    assert log_loss(state(found(said), targets)) < log_loss(state(said, targets))
    assert (np.argsort(found(said)) == np.argsort(said)).all()


@pytest.mark.parametrize(
    ("said", "targets"),
    [
        pytest.param([-3.0, -2.0, 2.0, 9.0], [False, False, True, True], id="told apart wholly"),
        pytest.param([400.0, 900.0], [True, False], id="far from even"),
        pytest.param([1.0, 2.0], [True, True], id="one kind alone"),
        pytest.param([5.0, 5.0, 5.0], [True, False, False], id="all the same"),
        pytest.param([3.0, -3.0], [False, True], id="the wrong way round"),
    ],
)
def test_it_stays_a_number_whatever_comes(said: list[float], targets: list[bool]) -> None:
    found = calibrated(np.array(said), np.array(targets))
    assert found.scale > 0
    assert np.isfinite(found(np.array(said))).all()


def test_of_nothing_it_changes_nothing() -> None:
    assert calibrated(np.empty(0), np.empty(0, np.bool_)) == Calibration()
