"""Events: one row per thing a user did. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

FINITE, INFINITE, NAN = "finite", "infinite", "NaN"


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of ids, and what kind of number a value is: to Great Expectations NaN is null."""
    value = table["value"]
    number = pc.if_else(pc.is_finite(value), FINITE, pc.if_else(pc.is_nan(value), NAN, INFINITE))
    return (
        table.select(["user_id", "item_id", "event", "timestamp"])
        .append_column("user_id_bytes", pc.binary_length(table["user_id"]))
        .append_column("item_id_bytes", pc.binary_length(table["item_id"]))
        .append_column("value_is", number)
    )


def _row_rules(limits: Limits) -> Sequence[Expectation]:
    from great_expectations.expectations import (
        ExpectColumnValuesToBeBetween,
        ExpectColumnValuesToBeInSet,
        ExpectColumnValuesToNotBeNull,
    )

    present = [
        ExpectColumnValuesToNotBeNull(column=name, meta={"rule": f"{name} missing"})
        for name in ("user_id", "item_id", "event", "timestamp")
    ]
    bounded = [
        ExpectColumnValuesToBeBetween(
            column=f"{name}_bytes", max_value=limits.max_id_bytes, meta={"rule": f"{name} too long"}
        )
        for name in ("user_id", "item_id")
    ]
    kinds = [
        ExpectColumnValuesToBeInSet(column="event", value_set=limits.kinds, meta={"rule": "unknown kind of event"})
    ]
    finite = ExpectColumnValuesToBeInSet(column="value_is", value_set=[FINITE], meta={"rule": "value not finite"})
    return [*present, *bounded, *(kinds if limits.kinds else []), finite, *_time_rules(limits)]


def _time_rules(limits: Limits) -> Sequence[Expectation]:
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    possible = ExpectColumnValuesToBeBetween(
        column="timestamp", min_value=_start(limits.first_day), meta={"rule": "timestamp before first_day"}
    )
    in_time = ExpectColumnValuesToBeBetween(
        column="timestamp", min_value=_start(limits.earliest), meta={"rule": "timestamp older than late_days"}
    )
    past = ExpectColumnValuesToBeBetween(
        column="timestamp",
        max_value=_start(limits.through + timedelta(days=1)),
        strict_max=True,
        meta={"rule": "timestamp after through"},
    )
    return [possible, in_time, past]


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


EVENTS = DataContract(
    name="events",
    version=1,
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
