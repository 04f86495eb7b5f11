"""Trips: what is learned from, by window. Written by ``preprocess``; read by ``train`` and ``evaluate``."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

TRIPS = DataContract(
    name="trips",
    schema=pa.schema(
        [
            pa.field("log_km", pa.float32(), nullable=False, metadata={"unit": "ln(1 + distance in km)"}),
            pa.field("hours", pa.float32(), nullable=False),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate", "register"),
    partition_by="window",
)
