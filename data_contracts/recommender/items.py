"""Items and how often each was met. Written by ``preprocess``; read by ``train``, ``evaluate`` and the server."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

READERS = ("preprocess", "train", "evaluate", "register")

ITEMS = DataContract(
    name="items",
    version=1,
    schema=pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("item_index", pa.int32(), nullable=False, metadata={"unit": "1…; 0 is padding; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=READERS,
)

ITEM_COUNTS = DataContract(
    name="item_counts",
    version=1,
    schema=pa.schema(
        [
            pa.field("item_index", pa.int32(), nullable=False),
            pa.field("count", pa.int64(), nullable=False, metadata={"unit": "events in the window"}),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=READERS,
    partition_by="window",
)
