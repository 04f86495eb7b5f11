"""Parcels: one row each, as it is sent. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, in_time, not_null

FARTHEST_KM = 20_000.0


def _row_rules(limits: Limits) -> Sequence[Rule]:
    present = [not_null(name, f"{name} missing") for name in ("parcel_id", "distance_km", "sent_at")]
    return [
        *present,
        between("distance_km", 0, FARTHEST_KM, "distance_km is no distance on this planet"),
        *in_time("sent_at", limits),
    ]


PARCELS = DataContract(
    name="parcels",
    schema=pa.schema(
        [
            pa.field("parcel_id", pa.string(), nullable=False),
            pa.field("distance_km", pa.float32(), nullable=False),
            pa.field("sent_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="sent_at",
    row_rules=_row_rules,
)
