from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from data_contracts.night import HeldOut, Window
from tasks.preprocess.errors import OtherFeaturesError, TooFewTargetsError
from tasks.preprocess.risk.plan import Plan, hold_out_end, one_length

LABELS = pl.DataFrame({"day": [date(2026, 1, number) for number in (1, 2, 4, 5)], "labelled": [10, 0, 6, 5]})
THROUGH = date(2026, 1, 6)


@pytest.mark.parametrize(
    ("targets", "units", "first_day"),
    [
        pytest.param(5, 1, 5, id="the last day is enough"),
        pytest.param(6, 1, 4, id="the last two are"),
        pytest.param(1, 11, 4, id="each transaction is a unit"),
    ],
)
def test_whole_days_are_held_out_until_they_have_labels_enough(targets: int, units: int, first_day: int) -> None:
    window = hold_out_end(LABELS, THROUGH, HeldOut(min_targets=targets, min_units=units))
    assert window == Window(first_day=date(2026, 1, first_day), last_day=THROUGH)


@pytest.mark.parametrize("targets", [12, 22])
def test_a_past_without_a_label_is_none(targets: int) -> None:
    """Twelve take the first day too: nothing would be left to learn from."""
    with pytest.raises(TooFewTargetsError, match="21 transactions with a label"):
        hold_out_end(LABELS, THROUGH, HeldOut(min_targets=targets, min_units=1))


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        pytest.param(True, ["2026-01-03", "2026-01-06"], id="the first night has a past"),
        pytest.param(False, ["2026-01-06", "2026-01-06"], id="later, what came late is in the newest window"),
    ],
)
def test_a_transaction_is_in_one_window(first: bool, wanted: list[str]) -> None:  # noqa: FBT001
    plan = Plan(Window(first_day=date(2026, 1, 4), last_day=THROUGH), first)
    rows = pl.DataFrame({"day": [date(2026, 1, 1), date(2026, 1, 5)]})
    assert rows.with_columns(key=plan.key("day"))["key"].to_list() == wanted


@pytest.mark.parametrize(
    ("lengths", "known", "wanted"),
    [
        pytest.param({}, 0, 0, id="no row has any"),
        pytest.param({3: 10}, 0, 3, id="the first ones"),
        pytest.param({3: 10}, 3, 3, id="as before"),
        pytest.param({}, 3, 3, id="tonight none is known"),
    ],
)
def test_all_transactions_have_as_many_numbers(lengths: dict[int, int], known: int, wanted: int) -> None:
    assert one_length(lengths, known) == wanted


@pytest.mark.parametrize(
    ("lengths", "known", "said"),
    [
        pytest.param({4: 1_000}, 3, "4 in 1,000 rows as `numbers`, those before 3", id="another than before"),
        pytest.param({3: 7, 4: 1}, 3, "3 in 7 rows, 4 in 1 rows as `numbers`, those before 3", id="some"),
        pytest.param({3: 7, 4: 1}, 0, "3 in 7 rows, 4 in 1 rows as `numbers`: which is which", id="at first"),
    ],
)
def test_numbers_that_are_not_as_many_are_refused(lengths: dict[int, int], known: int, said: str) -> None:
    with pytest.raises(OtherFeaturesError, match=said):
        one_length(lengths, known)
