from __future__ import annotations

import pytest

from benchmarks.trained import Epoch, Trained


def training(patience: int | None, last: list[float], averaged: list[float]) -> Trained:
    qualities = {"last": last, "averaged": averaged}
    epochs = {
        kind: [Epoch(number, kind, 10.0 * number, quality, "") for number, quality in enumerate(of_kind, 1)]
        for kind, of_kind in qualities.items()
    }
    return Trained(patience, epochs)


@pytest.mark.parametrize(
    ("patience", "quality", "best", "ended", "stopped"),
    [
        pytest.param(2, [0.1, 0.3, 0.2, 0.2, 0.9], 2, 4, True, id="what comes later is not seen"),
        pytest.param(2, [0.1, 0.3, 0.2, 0.4, 0.3], 4, 5, False, id="it goes on"),
        pytest.param(2, [0.3, 0.3, 0.3], 1, 3, True, id="equal is not better"),
        pytest.param(None, [0.3, 0.1, 0.1, 0.1], 1, 4, False, id="nothing stops it"),
    ],
)
def test_a_training_stops_when_patience_ends(
    patience: int | None, quality: list[float], best: int, ended: int, *, stopped: bool
) -> None:
    found = training(patience, quality, quality)
    assert (found.best("last").number, found.until("last")[-1].number) == (best, ended)
    assert found.has_stopped == stopped


def test_a_training_goes_on_for_the_weights_that_still_get_better() -> None:
    assert not training(1, [0.2, 0.1, 0.1], [0.1, 0.2, 0.3]).has_stopped
    assert training(1, [0.2, 0.1, 0.1], [0.1, 0.2, 0.2]).has_stopped
