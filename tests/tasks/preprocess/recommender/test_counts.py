from __future__ import annotations

import pytest

from tasks.preprocess.errors import RowsLostError
from tasks.preprocess.recommender.counts import WindowCounts, refuse_loss, total


def test_counts_of_ranges_add_up_by_window() -> None:
    ranges = [{"1": WindowCounts(5, 2, 3, 2)}, {"1": WindowCounts(1, 1, 0, 1), "2": WindowCounts(4, 1, 4, 0)}]
    assert total(ranges) == {"1": WindowCounts(6, 3, 3, 3), "2": WindowCounts(4, 1, 4, 0)}


def test_nothing_is_said_when_every_event_is_a_target_or_a_first() -> None:
    refuse_loss(10, {"1": WindowCounts(6, 3, 3, 3), "2": WindowCounts(4, 1, 4, 0)})


def test_every_loss_is_named() -> None:
    windows = {"1": WindowCounts(6, 3, 3, 3), "2": WindowCounts(4, 1, 5, 0)}
    with pytest.raises(
        RowsLostError, match=r"(?s)10 events reached a window, wanted 11.*window 2: .* wanted 4 targets"
    ):
        refuse_loss(11, windows)
