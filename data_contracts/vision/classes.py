"""Classes: the labels ever met, and their numbers. Written by ``preprocess``; read by everybody after it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, unique

MAX_CLASSES = 10_000
"""Labels that are numbered, at most: a network has an output for each."""


def _row_rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    return [
        between("class_number", 0, MAX_CLASSES - 1, "class_number out of range"),
        unique("class_number", "class_number given twice"),
        unique("label", "label numbered twice"),
    ]


CLASSES = DataContract(
    name="classes",
    schema=pa.schema(
        [
            pa.field("label", pa.string(), nullable=False),
            pa.field("class_number", pa.int32(), nullable=False, metadata={"unit": "0…; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "train", "evaluate"),
    row_rules=_row_rules,
)
