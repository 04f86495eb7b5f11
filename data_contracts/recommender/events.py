"""Events: one row per thing a user did. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

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
)
