from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.check import check
from data_contracts.contract import LATE, DataContract, Limits
from data_contracts.risk.labels import LABELS
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
    "numbers": [20_000.0, -2.0],
    "source_file": "f",
    "source_row": 0,
    "problem": None,
    "original": None,
}


def _broken(*rows: dict[str, Any], of: DataContract = TRANSACTIONS, limits: Limits = LIMITS) -> list[str | None]:
    contract = staging(of)
    rules = contract.row_rules(limits)
    table = contract.conform(pa.Table.from_pylist([GOOD | changes for changes in rows], contract.schema))
    first = check(contract.checked(table), rules).first_broken
    return [None if number < 0 else rules[number].name for number in first]


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
    ({"numbers": None}, None),
    ({"numbers": [1.0, None]}, None),
    ({"numbers": [1.0, float("nan")]}, "numbers not finite"),
    ({"numbers": [float("-inf"), None]}, "numbers not finite"),
    ({"numbers": [1.0]}, "numbers of another length"),
    ({"numbers": [1.0, 2.0, 3.0]}, "numbers of another length"),
    ({"numbers": []}, "numbers of another length"),
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


@pytest.mark.parametrize("numbers", [[], [1.0], None])
def test_where_all_rows_have_as_many_numbers_any_number_of_them_will_do(numbers: list[float] | None) -> None:
    assert _broken({"numbers": numbers}, {"numbers": numbers}) == [None, None]


WHO_LABELS = [
    ({}, None),
    ({"label": None, "transaction_id": "a-1"}, None),
    ({"label": 1, "transaction_id": "a-1"}, None),
    ({"label": None}, "neither transaction_id nor label"),
    ({"label": None, "transaction_id": "ü" * 5}, "transaction_id too long"),
]


def test_where_labels_come_a_transaction_without_one_says_by_what_it_is_found() -> None:
    rows = [changes for changes, _ in WHO_LABELS]
    assert _broken(*rows, limits=replace(LIMITS, labels_come=True)) == [rule for _, rule in WHO_LABELS]
    assert _broken(*rows[:-1]) == [None] * (len(rows) - 1)


GOOD_LABEL: dict[str, Any] = {"transaction_id": "a-1", "label": 1, "labelled_at": GOOD["happened_at"]}
LABEL_CASES = [
    ({}, None),
    ({"label": 0}, None),
    ({"transaction_id": None}, "transaction_id missing"),
    ({"transaction_id": "ü" * 5}, "transaction_id too long"),
    ({"label": None}, "label missing"),
    ({"label": 2}, "label neither 0 nor 1"),
    ({"labelled_at": None}, "labelled_at missing"),
    ({"labelled_at": datetime(2026, 11, 23, tzinfo=UTC)}, "labelled_at in the future"),
]


def test_a_label_that_comes_by_itself_breaks_the_rule_that_people_would_name() -> None:
    rows = [{**GOOD, **GOOD_LABEL, **changes} for changes, _ in LABEL_CASES]
    assert _broken(*rows, of=LABELS) == [rule for _, rule in LABEL_CASES]
