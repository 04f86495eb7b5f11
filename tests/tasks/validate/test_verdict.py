from __future__ import annotations

import logging
from contextlib import nullcontext

import pytest

from data_contracts.contract import ContractError, ContractViolationError
from tasks.validate.verdict import refuse_lost_rows, refuse_over_budget, unusual_volume


@pytest.mark.parametrize(
    ("broken", "rows", "budget", "refused"),
    [
        pytest.param({}, 100, 0.0, "", id="nothing broken"),
        pytest.param({"a": 1}, 100, 0.01, "", id="just within"),
        pytest.param({"a": 1, "b": 1}, 100, 0.01, "refused", id="over, together"),
        pytest.param({"a": 100}, 100, 1.0, "refused", id="all broken, whatever the budget"),
        pytest.param({}, 0, 0.01, "refused", id="no rows"),
    ],
)
def test_a_night_is_refused_over_its_budget(broken: dict[str, int], rows: int, budget: float, refused: str) -> None:
    with pytest.raises(ContractViolationError) if refused else nullcontext():
        refuse_over_budget(broken, dict.fromkeys(broken, "x"), rows=rows, budget=budget, what="events", page="p")


def test_the_error_says_what_where_and_the_next_step() -> None:
    with pytest.raises(ContractViolationError) as error:
        refuse_over_budget(
            {"item_id missing": 811, "timestamp after through": 40_213},
            {"item_id missing": "b.csv row 9: {}", "timestamp after through": "a.csv row 118: {}"},
            rows=1_204_377,
            budget=0.01,
            what="'events' 2026-11-22",
            page="file:///events-2026-11-22.html",
        )
    assert str(error.value).splitlines() == [
        "'events' 2026-11-22: 2 rules broken in 1,204,377 rows (budget 1.0 %, seen 3.4 %).",
        "  - timestamp after through: 40,213 rows, e.g. a.csv row 118: {}",
        "  - item_id missing: 811 rows, e.g. b.csv row 9: {}",
        "Nothing was published. Every rule: file:///events-2026-11-22.html. "
        "Fix the source, or raise validation.max_quarantined.",
    ]


@pytest.mark.parametrize(
    ("rows_a_day", "before", "said"),
    [
        pytest.param(100, [], "", id="nothing to compare"),
        pytest.param(100, [100, 90, 110], "", id="as usual"),
        pytest.param(151, [100, 90, 110], "151 rows a day, the median of 3 days before is 100 (+51 %", id="too many"),
        pytest.param(49, [100, 90, 1_000], "(-51 %, usual is within 50 %)", id="too few, the median stands a wild day"),
    ],
)
def test_an_unusual_volume_is_said(rows_a_day: float, before: list[int], said: str) -> None:
    answer = unusual_volume(rows_a_day, before, change=0.5)
    assert said in answer
    assert bool(said) == bool(answer)


@pytest.mark.parametrize(
    ("read", "kept"),
    [pytest.param(10, "is not", id="lost"), pytest.param(8, "is not", id="twice"), pytest.param(9, "=", id="kept")],
)
def test_rows_read_are_accepted_or_quarantined_or_repeats_or_the_night_stops(
    caplog: pytest.LogCaptureFixture, read: int, kept: str
) -> None:
    stops = nullcontext() if kept == "=" else pytest.raises(ContractError, match=f"rows read {read} is not accepted 6 ")
    with caplog.at_level(logging.INFO), stops:
        refuse_lost_rows(read, accepted=6, quarantined=2, repeats=1, what="'events' 2026-11-22")
    assert ("rows read 9 = accepted 6 + quarantined 2 + repeats 1" in caplog.text) == (kept == "=")
