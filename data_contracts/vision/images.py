"""Images: one row each, as it came, with what it shows if anybody said so.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.payloads.payload import judged, rules
from data_contracts.rules import between, in_time
from data_contracts.vision.pictures import PICTURE

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is wrong with each picture instead of its bytes, and the bytes of its label."""
    return (
        table.select(["seen_at"])
        .append_column("image_is", judged(table["image"], PICTURE))
        .append_column("label_bytes", pc.binary_length(table["label"]))
        .append_column("id_bytes", pc.binary_length(table["image_id"]))
    )


def _row_rules(limits: Limits) -> Sequence[Expectation]:
    from great_expectations.expectations import ExpectColumnValuesToNotBeNull

    return [
        ExpectColumnValuesToNotBeNull(column="image_is", meta={"rule": "image missing"}),
        *rules("image_is", PICTURE),
        between("label_bytes", None, limits.max_id_bytes, "label too long"),
        between("id_bytes", None, limits.max_id_bytes, "image_id too long"),
        ExpectColumnValuesToNotBeNull(column="seen_at", meta={"rule": "seen_at missing"}),
        *in_time("seen_at", limits),
    ]


_ID = pa.field("image_id", pa.string(), metadata={"unit": "by which a label of its own finds it; null without"})

IMAGES = DataContract(
    name="images",
    schema=pa.schema(
        [
            pa.field("image", pa.binary(), nullable=False, metadata={"unit": "a PNG or a JPEG, as it came"}),
            pa.field("label", pa.string(), metadata={"unit": "what it shows; null where nobody said so yet"}),
            pa.field("seen_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
            _ID,
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    rows_per_row_group=256,
    time_column="seen_at",
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(added=(_ID,)),),
)
