"""Images: one row each, as it came, with what it shows if anybody said so.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.payloads.payload import judged, rules
from data_contracts.rules import Rule, between, in_time, not_null
from data_contracts.vision.pictures import PICTURE

_TEXTS = ("label", "image_id", "subject_id", "source")


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is wrong with each picture instead of its bytes, and the bytes of its texts."""
    seen = table.select(["seen_at"]).append_column("image_is", judged(table["image"], PICTURE))
    for name in _TEXTS:
        seen = seen.append_column(f"{name}_bytes", pc.binary_length(table[name]))
    return seen


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        not_null("image_is", "image missing"),
        *rules("image_is", PICTURE),
        *(between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in _TEXTS),
        not_null("seen_at", "seen_at missing"),
        *in_time("seen_at", limits),
    ]


_ID = pa.field("image_id", pa.string(), metadata={"unit": "by which a label of its own finds it; null without"})
_SUBJECT = pa.field(
    "subject_id",
    pa.string(),
    metadata={"unit": "who or what it is a picture of: never on both sides of a split; null without"},
)
_SOURCE = pa.field(
    "source",
    pa.string(),
    metadata={"unit": "where it was made, as a hospital or a device: judged by itself; null without"},
)

IMAGES = DataContract(
    name="images",
    schema=pa.schema(
        [
            pa.field("image", pa.binary(), nullable=False, metadata={"unit": "a PNG or a JPEG, as it came"}),
            pa.field("label", pa.string(), metadata={"unit": "what it shows; null where nobody said so yet"}),
            pa.field("seen_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
            _ID,
            _SUBJECT,
            _SOURCE,
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    rows_per_row_group=256,
    time_column="seen_at",
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(added=(_ID,)), Step(added=(_SUBJECT, _SOURCE))),
)
