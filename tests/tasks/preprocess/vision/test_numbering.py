from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest

from data_contracts.night import Window
from data_contracts.vision import classes
from tasks.preprocess.plan import Plan
from tasks.preprocess.vision.numbering import TooManyClassesError, number_classes

FIRST = date(2026, 3, 1)
NOBODY = pl.DataFrame(schema={"label": pl.String, "class_number": pl.Int32})


def window(days: int) -> Window:
    return Window(first_day=FIRST, last_day=FIRST + timedelta(days=days - 1))


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
