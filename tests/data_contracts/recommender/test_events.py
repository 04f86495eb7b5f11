from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.recommender.events import EVENTS
from data_contracts.staging import staging

LIMITS = Limits(
    first_day=date(2000, 1, 1),
    earliest=date(2026, 11, 19),
    latest=date(2026, 11, 22),
    allowed={"event": ("view", "buy")},
    max_id_bytes=8,
)
GOOD: dict[str, Any] = {
    "user_id": "u1",
    "item_id": "i1",
    "event": "view",
    "timestamp": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "value": None,
    "source_file": "f",
    "source_row": 0,
    "problem": None,
    "original": None,
}


def _broken(**changes: object) -> str | None:
    contract = staging(EVENTS)
    rules = contract.row_rules(LIMITS)
    rows = contract.conform(pa.Table.from_pylist([GOOD | changes], contract.schema))
    first = check(contract.checked(rows), rules).first_broken[0]
    return None if first < 0 else rules[first].name


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({}, None, id="as it should be"),
        pytest.param({"value": 1.5}, None, id="with a value"),
        pytest.param({"problem": "timestamp unparseable", "timestamp": None}, "unreadable", id="unreadable"),
        pytest.param({"user_id": None}, "user_id missing", id="nobody"),
        pytest.param({"item_id": None}, "item_id missing", id="nothing"),
        pytest.param({"event": None}, "event missing", id="no kind"),
        pytest.param({"timestamp": None}, "timestamp missing", id="no time"),
        pytest.param({"user_id": "ü" * 4}, None, id="eight bytes"),
        pytest.param({"user_id": "ü" * 5}, "user_id too long", id="ten bytes in five letters"),
        pytest.param({"item_id": "i" * 9}, "item_id too long", id="nine bytes"),
        pytest.param({"event": "stare"}, "unknown event", id="unknown kind"),
        pytest.param({"value": float("nan")}, "value not finite", id="NaN"),
        pytest.param({"value": float("-inf")}, "value not finite", id="infinite"),
        pytest.param({"timestamp": datetime(1999, 12, 31, tzinfo=UTC)}, "timestamp before first_day", id="impossible"),
        pytest.param(
            {"timestamp": datetime(2026, 11, 18, 23, 59, 59, 999999, tzinfo=UTC)},
            "timestamp older than late_days",
            id="too late by 1 us",
        ),
        pytest.param({"timestamp": datetime(2026, 11, 19, tzinfo=UTC)}, None, id="late, but in time"),
        pytest.param({"timestamp": datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)}, None, id="last moment"),
        pytest.param({"timestamp": datetime(2026, 11, 23, tzinfo=UTC)}, "timestamp in the future", id="too new"),
    ],
)
def test_an_event_breaks_the_rule_that_people_would_name(changes: dict[str, object], rule: str | None) -> None:
    assert _broken(**changes) == rule


def test_every_kind_is_accepted_when_none_is_listed() -> None:
    limits = Limits(date(2000, 1, 1), date(2000, 1, 1), date(2026, 1, 1))
    names = [rule.name for rule in staging(EVENTS).row_rules(limits)]
    assert not [name for name in names if name.startswith("unknown")]
    assert len(set(names)) == len(names)
