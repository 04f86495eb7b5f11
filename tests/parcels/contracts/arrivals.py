"""Arrivals: what parcels are labelled with, once they are there. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, in_time, not_null


def _row_rules(limits: Limits) -> Sequence[Rule]:
    present = [not_null(name, f"{name} missing") for name in ("parcel_id", "hours", "arrived_at")]
    return [*present, between("hours", 0, None, "hours below 0"), *in_time("arrived_at", limits)]


ARRIVALS = DataContract(
    name="arrivals",
    schema=pa.schema(
        [
            pa.field("parcel_id", pa.string(), nullable=False),
            pa.field("hours", pa.float32(), nullable=False),
            pa.field("arrived_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="arrived_at",
    row_rules=_row_rules,
)
