from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest

from data_contracts.night import HeldOut, Window
from data_contracts.vision import classes
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.vision.plan import Plan, TooManyClassesError, hold_out_end, number_classes

FIRST = date(2026, 3, 1)
NOBODY = pl.DataFrame(schema={"label": pl.String, "class_number": pl.Int32})


def labels(*counts: int) -> dict[date, Counter[str]]:
    return {FIRST + timedelta(days=day): Counter(x=count) for day, count in enumerate(counts)}


def window(days: int) -> Window:
    return Window(first_day=FIRST, last_day=FIRST + timedelta(days=days - 1))


@pytest.mark.parametrize(
    ("counts", "wanted", "first_held"),
    [
        pytest.param((5, 5, 5), 5, 2, id="the last day is enough"),
        pytest.param((5, 5, 5), 6, 1, id="two days are"),
        pytest.param((5, 5, 0), 5, 1, id="a day without labels counts nothing"),
        pytest.param((5, 5, 5), 11, None, id="nothing would be left"),
        pytest.param((0, 0, 9), 5, None, id="all on one day"),
        pytest.param((), 1, None, id="nothing at all"),
    ],
)
def test_whole_days_are_held_out(counts: tuple[int, ...], wanted: int, first_held: int | None) -> None:
    held_out = HeldOut(min_targets=wanted, min_units=1)
    if first_held is None:
        with pytest.raises(TooFewTargetsError):
            hold_out_end(labels(*counts), window(3), held_out)
    else:
        assert hold_out_end(labels(*counts), window(3), held_out).first_day == FIRST + timedelta(days=first_held)


def test_classes_that_only_the_newest_window_has_come_last() -> None:
    plan = Plan(window=Window(first_day=FIRST + timedelta(days=1), last_day=FIRST + timedelta(days=1)), first=True)
    met = {FIRST: Counter("zb"), FIRST + timedelta(days=1): Counter("abz")}
    new = number_classes(met, plan, NOBODY)
    assert new["label"].to_list() == ["b", "z", "a"]
    assert new["first_window"].to_list() == ["2026-03-01", "2026-03-01", "2026-03-02"]
    assert number_classes(met, plan, new.select("label", "class_number")).is_empty()


def test_labels_that_are_no_classes_are_refused() -> None:
    many = {FIRST: Counter(map(str, range(classes.MAX_CLASSES + 1)))}
    with pytest.raises(TooManyClassesError, match="10,001 different labels, wanted 10,000 at most"):
        number_classes(many, Plan(window=window(1), first=False), NOBODY)


def test_what_came_late_is_the_newest_windows() -> None:
    later = Plan(window=Window(first_day=FIRST, last_day=FIRST), first=False)
    assert later.of(FIRST - timedelta(days=2)) == later.window.key
    assert later.keys == (later.window.key,)
