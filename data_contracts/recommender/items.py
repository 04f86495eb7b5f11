"""Items and how often each was met. Written by ``preprocess``; read by ``train``, ``evaluate`` and the server."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, unique


def _item_rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    return [
        between("item_index", 1, None, "item_index below 1"),
        unique("item_index", "item_index given twice"),
        unique("item_id", "item numbered twice"),
    ]


def _count_rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    return [
        between("item_index", 1, None, "item_index below 1"),
        between("count", 1, None, "item counted without an event"),
    ]


READERS = ("preprocess", "train", "evaluate", "register")

ITEMS = DataContract(
    name="items",
    schema=pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("item_index", pa.int32(), nullable=False, metadata={"unit": "1…; 0 is padding; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=READERS,
    row_rules=_item_rules,
)

ITEM_COUNTS = DataContract(
    name="item_counts",
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
    row_rules=_count_rules,
)
