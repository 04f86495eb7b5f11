from __future__ import annotations

import pytest

from tasks.preprocess.errors import RowsLostError
from tasks.preprocess.recommender.counts import WindowCounts, refuse_loss, total

WINDOWS = {"1": WindowCounts(6, 3, 3, 3), "2": WindowCounts(5, 2, 4, 0, 1)}


def test_counts_of_ranges_add_up_by_window() -> None:
    ranges = [{"1": WindowCounts(5, 2, 3, 2)}, {"1": WindowCounts(1, 1, 0, 1), "2": WindowCounts(5, 2, 4, 0, 1)}]
    assert total(ranges) == WINDOWS


def test_nothing_is_said_when_every_event_accepted_is_a_target_a_first_or_too_late() -> None:
    refuse_loss(11, 3, WINDOWS, {"examples": 7, "state": 5})
    refuse_loss(11, 3, WINDOWS, {})


@pytest.mark.parametrize(
    ("rows", "newcomers", "windows", "written", "said"),
    [
        pytest.param(12, 3, WINDOWS, {}, "11 events reached a window, wanted 12", id="no window"),
        pytest.param(11, 2, WINDOWS, {}, "3 firsts of 2 new users", id="two firsts of a user"),
        pytest.param(
            6,
            3,
            {"1": WindowCounts(6, 3, 4, 3)},
            {},
            "window 1: 6 events .* 4 targets, 3 firsts; wanted 3",
            id="twice",
        ),
        pytest.param(
            11, 3, WINDOWS, {"examples": 6}, "files of table 'examples': 6 targets, wanted 7", id="not written"
        ),
        pytest.param(11, 3, WINDOWS, {"state": 6}, "files of table 'state': 6 rows, wanted 5", id="written twice"),
    ],
)
def test_every_loss_is_named(
    rows: int, newcomers: int, windows: dict[str, WindowCounts], written: dict[str, int], said: str
) -> None:
    with pytest.raises(RowsLostError, match=said):
        refuse_loss(rows, newcomers, windows, written)


def test_all_losses_are_named_at_once() -> None:
    with pytest.raises(RowsLostError, match=r"(?s)11 events .* 3 firsts .* 'examples': 1 targets"):
        refuse_loss(12, 4, WINDOWS, {"examples": 1})


def test_how_many_share_their_users_moment_is_said() -> None:
    assert str(WindowCounts(6, 3, 3, 3, shared=4)).endswith("3 firsts; 67% share their user's moment with another")


def test_events_that_came_too_late_are_told_apart_from_firsts() -> None:
    assert str(WINDOWS["1"]) == "6 events of 3 users: 3 targets, 3 firsts"
    assert str(WINDOWS["2"]) == "5 events of 2 users: 4 targets, 0 firsts, 1 too late to have a predecessor"
