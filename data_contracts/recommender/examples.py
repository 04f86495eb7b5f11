"""Examples: events cut into context and targets. Written by ``preprocess``, read by ``train`` and ``evaluate``."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

EXAMPLES = DataContract(
    name="examples",
    version=1,
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("bucket", pa.int32(), nullable=False, metadata={"unit": "hash of the user, 0…1023"}),
            pa.field("context", pa.list_(pa.int32()), nullable=False, metadata={"unit": "item_index, oldest first"}),
            pa.field("target", pa.list_(pa.int32()), nullable=False, metadata={"unit": "item_index, oldest first"}),
            pa.field(
                "target_event",
                pa.list_(pa.string()),
                nullable=False,
                metadata={"unit": "kind, beside target"},
            ),
            pa.field(
                "target_timestamp",
                pa.list_(pa.timestamp("us", tz="UTC")),
                nullable=False,
                metadata={"unit": "beside target"},
            ),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate"),
    partition_by="window",
)
