"""Events: one row per thing a user did. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, in_time, not_null, one_of

FINITE, INFINITE, NAN = "finite", "infinite", "NaN"


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of ids, and what kind of number a value is: to rules NaN is null."""
    value = table["value"]
    number = pc.if_else(pc.is_finite(value), FINITE, pc.if_else(pc.is_nan(value), NAN, INFINITE))
    return (
        table.select(["user_id", "item_id", "event", "timestamp"])
        .append_column("user_id_bytes", pc.binary_length(table["user_id"]))
        .append_column("item_id_bytes", pc.binary_length(table["item_id"]))
        .append_column("value_is", number)
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    present = [not_null(name, f"{name} missing") for name in ("user_id", "item_id", "event", "timestamp")]
    bounded = [
        between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in ("user_id", "item_id")
    ]
    return [
        *present,
        *bounded,
        one_of("value_is", [FINITE], "value not finite"),
        *in_time("timestamp", limits),
    ]


EVENTS = DataContract(
    name="events",
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("event", pa.string(), nullable=False),
            pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("value", pa.float32()),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="timestamp",
    checked=_checked,
    row_rules=_row_rules,
)
