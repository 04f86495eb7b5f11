from __future__ import annotations

from datetime import date, timedelta

import pytest

from data_contracts.night import HeldOut, Window
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.plan import OfDay, Plan, hold_out_end

FIRST = date(2026, 3, 1)


def days(*counts: tuple[int, int]) -> dict[date, OfDay]:
    return {FIRST + timedelta(days=day): OfDay(*count) for day, count in enumerate(counts)}


def window(days: int) -> Window:
    return Window(first_day=FIRST, last_day=FIRST + timedelta(days=days - 1))


@pytest.mark.parametrize(
    ("counts", "units", "targets", "first_held"),
    [
        pytest.param(((5, 9), (5, 9), (5, 9)), 5, 9, 2, id="the last day is enough"),
        pytest.param(((5, 9), (5, 9), (5, 9)), 6, 1, 1, id="two days have enough units"),
        pytest.param(((5, 9), (5, 9), (5, 9)), 1, 10, 1, id="two days have enough targets"),
        pytest.param(((5, 9), (5, 9), (0, 0)), 5, 1, 1, id="a day of nothing counts nothing"),
        pytest.param(((5, 9), (5, 9), (5, 9)), 11, 1, None, id="nothing would be left"),
        pytest.param(((0, 0), (0, 0), (9, 9)), 5, 1, None, id="all on one day"),
        pytest.param((), 1, 1, None, id="nothing at all"),
    ],
)
def test_whole_days_are_held_out(
    counts: tuple[tuple[int, int], ...], units: int, targets: int, first_held: int | None
) -> None:
    held_out = HeldOut(min_targets=targets, min_units=units)
    if first_held is None:
        with pytest.raises(TooFewTargetsError, match="too few for that"):
            hold_out_end(days(*counts), window(3), held_out, "letters")
    else:
        found = hold_out_end(days(*counts), window(3), held_out, "letters")
        assert found.first_day == FIRST + timedelta(days=first_held)


def test_what_came_late_is_the_newest_windows() -> None:
    later = Plan(window=Window(first_day=FIRST, last_day=FIRST), first=False)
    assert later.of(FIRST - timedelta(days=2)) == later.window.key
    assert later.keys == (later.window.key,)
