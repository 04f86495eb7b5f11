"""Examples: labelled images as pixels of one size, by window. Written by ``preprocess``; read by everybody after it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.days import end_of
from data_contracts.rules import Rule, between
from data_contracts.vision.classes import MAX_CLASSES

BANDS = 16
"""Numbers by which a picture is known again, see `data_contracts.vision.twins`."""


def _checked(table: pa.Table) -> pa.Table:
    """Show rules how many numbers each image is, beside how many the first one is, and how many bands."""
    numbers = pc.binary_length(table["pixels"])
    first = numbers[0].as_py() if table.num_rows else 0
    return (
        table.select(["class_number", "seen_at"])
        .append_column("numbers_more", pc.subtract(numbers, first))
        .append_column("bands", pc.list_value_length(table["bands"]))
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("class_number", 0, MAX_CLASSES - 1, "class_number out of range"),
        between("numbers_more", 0, 0, "pixels of another size"),
        between("bands", BANDS, BANDS, "bands of another number"),
        between("seen_at", None, end_of(limits.latest, limits.day_zone), "seen_at after through"),
    ]


_SUBJECT = pa.field("subject_id", pa.string(), metadata={"unit": "who or what it is a picture of; null without"})
_SOURCE = pa.field("source", pa.string(), metadata={"unit": "where it was made; null without"})
_BANDS = pa.field(
    "bands",
    pa.list_(pa.int64()),
    metadata={"unit": "by which twins are found; null in rows made before there were any"},
)

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
            _SUBJECT,
            _SOURCE,
            _BANDS,
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate", "register"),
    partition_by="window",
    rows_per_row_group=512,
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(added=(_SUBJECT, _SOURCE, _BANDS)),),
)
