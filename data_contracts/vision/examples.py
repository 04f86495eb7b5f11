"""Examples: labelled images as pixels of one size, by window. Written by ``preprocess``; read by everybody after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.days import end_of
from data_contracts.rules import between
from data_contracts.vision.classes import MAX_CLASSES

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def _checked(table: pa.Table) -> pa.Table:
    """Show rules how many numbers each image is, beside how many the first one is."""
    numbers = pc.binary_length(table["pixels"])
    first = numbers[0].as_py() if table.num_rows else 0
    return table.select(["class_number", "seen_at"]).append_column("numbers_more", pc.subtract(numbers, first))


def _row_rules(limits: Limits) -> Sequence[Expectation]:
    return [
        between("class_number", 0, MAX_CLASSES - 1, "class_number out of range"),
        between("numbers_more", 0, 0, "pixels of another size"),
        between("seen_at", None, end_of(limits.latest, limits.day_zone), "seen_at after through"),
    ]


EXAMPLES = DataContract(
    name="examples",
    schema=pa.schema(
        [
            pa.field("pixels", pa.binary(), nullable=False, metadata={"unit": "uint8, row by row, the channels last"}),
            pa.field("class_number", pa.int32(), nullable=False),
            pa.field(
                "seen_at",
                pa.timestamp("us", tz="UTC"),
                nullable=False,
                metadata={"unit": "when it was there, and what it shows was known"},
            ),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate", "register"),
    partition_by="window",
    rows_per_row_group=512,
    checked=_checked,
    row_rules=_row_rules,
)
