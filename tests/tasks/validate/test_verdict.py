from __future__ import annotations

import logging
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace

import pytest

from data_contracts.contract import LATE, ContractError, ContractViolationError
from data_contracts.counts import RuleCounts
from data_contracts.part import Part
from data_contracts.staging import UNREADABLE
from tasks.validate.config import ValidationConfig
from tasks.validate.judging import Judged
from tasks.validate.report import Report
from tasks.validate.verdict import failed_rules, refuse_lost_rows, refuse_over_budget, refuse_unusual, unusual_volume


def _report(broken: dict[str, int], accepted: int) -> Report:
    part = Part(path="", size=0, rows=accepted, partition={"day": "2026-11-22"})
    examples = {rule: f"{rule.split()[0]}.csv row {count}: {{}}" for rule, count in broken.items()}
    return Report(broken=Counter(broken), examples=examples, accepted=(part,))


@pytest.mark.parametrize(
    ("broken", "accepted", "budget", "refused"),
    [
        pytest.param({}, 100, 0.0, "", id="nothing broken"),
        pytest.param({"a": 1}, 99, 0.01, "", id="just within"),
        pytest.param({"a": 1, "b": 1}, 98, 0.01, "refused", id="over, together"),
        pytest.param({"a": 100}, 0, 1.0, "refused", id="all broken, whatever the budget"),
        pytest.param({}, 0, 0.01, "", id="no rows"),
    ],
)
def test_a_night_is_refused_over_its_budget(broken: dict[str, int], accepted: int, budget: float, refused: str) -> None:
    report = _report(broken, accepted)
    with pytest.raises(ContractViolationError) if refused else nullcontext():
        refuse_over_budget(report, of="source", budget=budget, what="events", page="p")


def test_the_rules_that_stop_a_night_have_failed_and_no_others() -> None:
    counts = tuple(RuleCounts(rule, 10, None, 3, ()) for rule in (UNREADABLE, "user_id missing", LATE))
    broken = Counter({"timestamp unparseable": 2, "user_id missing": 1})
    report = replace(_report(broken, 7), counts=counts, late=3)
    assert failed_rules(report, [], ValidationConfig(max_quarantined=0.3)) == set()
    assert failed_rules(report, [], ValidationConfig(max_quarantined=0.3, late="stop")) == {LATE}
    assert failed_rules(report, [], ValidationConfig()) == {UNREADABLE, "user_id missing"}


def test_the_error_says_what_where_and_the_next_step() -> None:
    report = _report({"item_id missing": 811, "timestamp in the future": 40_213}, 1_163_353)
    with pytest.raises(ContractViolationError) as error:
        refuse_over_budget(
            report, of="source", budget=0.01, what="'events' 2026-11-22", page="file:///events-000003.html"
        )
    assert str(error.value).splitlines() == [
        "'events' 2026-11-22: 2 rules broken in 1,204,377 rows (budget 1.0 %, seen 3.4 %).",
        "  - timestamp in the future: 40,213 rows, e.g. timestamp.csv row 40213: {}",
        "  - item_id missing: 811 rows, e.g. item_id.csv row 811: {}",
        "Nothing was published. Every rule: file:///events-000003.html. "
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
        refuse_lost_rows(read, {"accepted": 6, "quarantined": 2, "repeats": 1}, what="'events' 2026-11-22")
    assert ("rows read 9 = accepted 6 + quarantined 2 + repeats 1" in caplog.text) == (kept == "=")


def test_the_volume_and_rules_about_all_rows_are_one_error_and_the_others_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    judged = [
        Judged("volume", "volume of 2026-11-22: 9 rows a day", broken=True),
        Judged("distinct", "distinct values of 'town': 1, wanted at least 2", broken=True),
        Judged("quantiles", "quantiles of 'price': 0.5 is 9, wanted at most 8", broken=True),
        Judged("drift", "drift of 'kind': moved", broken=True, may_stop=False),
        Judged("distinct", "distinct values of 'kind': 3, wanted at least 2", broken=False),
    ]
    config = ValidationConfig(stop_on=("volume", "distinct", "drift"))
    with caplog.at_level(logging.INFO), pytest.raises(ContractViolationError) as error:
        refuse_unusual(judged, config, of="labels", rows=1_200, what="'told' 2026-11-22", page="")
    assert str(error.value).splitlines() == [
        "'told' 2026-11-22: 2 rules about all rows broken by 1,200 new ones.",
        "  - volume of 2026-11-22: 9 rows a day",
        "  - distinct values of 'town': 1, wanted at least 2",
        "Nothing was published. Look for missing files and for what changed in the labels; or change "
        "validation.labels_table.distinct and validation.volume_change, or take distinct and volume out of "
        "validation.stop_on to be warned only.",
    ]
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "WARNING", "INFO"], "of quantiles, of drift too early, of what is kept"
    refuse_unusual(judged, ValidationConfig(stop_on=()), of="source", rows=1, what="w", page="")
