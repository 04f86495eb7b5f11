"""Histories: what each user did last, at a window's end; a user's newest row is the user's history.

Written by ``preprocess``; read by ``preprocess``, ``evaluate`` and the server.
"""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

BUCKETS = 1024
"""Users are spread over this many buckets by a hash of their id; for ever, it is written into the tables."""

HISTORIES = DataContract(
    name="histories",
    version=1,
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("bucket", pa.int32(), nullable=False, metadata={"unit": "hash of the user, 0…1023"}),
            pa.field(
                "items",
                pa.list_(pa.int32()),
                nullable=False,
                metadata={"unit": "item_index, the last L, oldest first"},
            ),
            pa.field("kinds", pa.list_(pa.string()), nullable=False, metadata={"unit": "event, beside items"}),
            pa.field(
                "timestamps",
                pa.list_(pa.timestamp("us", tz="UTC")),
                nullable=False,
                metadata={"unit": "beside items"},
            ),
            pa.field(
                "seen",
                pa.list_(pa.int32()),
                nullable=False,
                metadata={
                    "unit": "item_index, every distinct item so far, bounded by max_seen, ascending by last time"
                },
            ),
            pa.field("event_count", pa.int64(), nullable=False, metadata={"unit": "events so far"}),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "evaluate", "register"),
    partition_by="window",
)
