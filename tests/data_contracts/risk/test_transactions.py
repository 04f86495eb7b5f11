from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.check import check, name_of
from data_contracts.contract import LATE, Limits
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.staging import staging

LIMITS = Limits(first_day=date(2000, 1, 1), earliest=date(2026, 11, 19), latest=date(2026, 11, 22), max_id_bytes=8)
GOOD: dict[str, Any] = {
    "from_party": "a",
    "to_party": "b",
    "amount": 12.5,
    "label": 0,
    "outcome": 1.0,
    "happened_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "source_file": "f",
    "source_row": 0,
    "problem": None,
    "original": None,
}


def _broken(*rows: dict[str, object]) -> list[str | None]:
    contract = staging(TRANSACTIONS)
    rules = contract.row_rules(LIMITS)
    table = contract.conform(pa.Table.from_pylist([GOOD | changes for changes in rows], contract.schema))
    first = check(contract.checked(table), rules).first_broken
    return [None if number < 0 else name_of(rules[number]) for number in first]


CASES = [
    ({}, None),
    ({"amount": None, "label": None, "outcome": None}, None),
    ({"label": 1}, None),
    ({"problem": "label unparseable", "label": None}, "unreadable"),
    ({"from_party": None}, "from_party missing"),
    ({"to_party": None}, "to_party missing"),
    ({"happened_at": None}, "happened_at missing"),
    ({"from_party": "ü" * 4}, None),
    ({"from_party": "ü" * 5}, "from_party too long"),
    ({"to_party": "x" * 1_000_000}, "to_party too long"),
    ({"to_party": "a"}, "transaction with oneself"),
    ({"amount": float("nan")}, "amount not finite"),
    ({"amount": float("inf")}, "amount not finite"),
    ({"outcome": float("nan")}, "outcome not finite"),
    ({"outcome": float("-inf")}, "outcome not finite"),
    ({"label": 2}, "label neither 0 nor 1"),
    ({"label": -1}, "label neither 0 nor 1"),
    ({"happened_at": datetime(1999, 12, 31, tzinfo=UTC)}, "happened_at before first_day"),
    ({"happened_at": datetime(2026, 11, 18, 23, 59, 59, 999999, tzinfo=UTC)}, LATE),
    ({"happened_at": datetime(2026, 11, 19, tzinfo=UTC)}, None),
    ({"happened_at": datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)}, None),
    ({"happened_at": datetime(2026, 11, 23, tzinfo=UTC)}, "happened_at in the future"),
]


def test_a_transaction_breaks_the_rule_that_people_would_name() -> None:
    """All in one table: NaN stands beside null, and a label that is missing beside one that is none."""
    assert _broken(*(changes for changes, _ in CASES)) == [rule for _, rule in CASES]


@pytest.mark.parametrize(("changes", "rule"), [case for case in CASES if "label" in case[0] or "amount" in case[0]])
def test_alone_in_its_table_it_breaks_the_same(changes: dict[str, object], rule: str | None) -> None:
    assert _broken(changes) == [rule]
