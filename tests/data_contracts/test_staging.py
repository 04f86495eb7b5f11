from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.staging import staging
from tests.parcels.contracts.parcels import PARCELS


def test_values_that_a_column_may_not_have_break_a_rule_of_any_use_case() -> None:
    """Also where its own view for the rules leaves the column out."""
    limits = Limits(date(2000, 1, 1), date(2026, 1, 1), date(2026, 3, 9), allowed={"parcel_id": ("a", "b")})
    row = {"distance_km": 1, "sent_at": datetime(2026, 3, 9, tzinfo=UTC), "source_file": "f"}
    rows = [row | {"parcel_id": name, "source_row": number} for number, name in enumerate(["a", "c", None])]
    contract = staging(PARCELS)
    rules = contract.row_rules(limits)
    table = contract.conform(pa.Table.from_pylist([{"problem": None, "original": None} | each for each in rows]))
    first = check(contract.checked(table), rules).first_broken
    assert [rules[each].name if each >= 0 else None for each in first] == [
        None,
        "unknown parcel_id",
        "parcel_id missing",
    ]
