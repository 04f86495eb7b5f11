"""Labels that come by themselves: what an image shows, said later, or before it came.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, in_time, not_null

_TEXTS = ("image_id", "label")


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of texts."""
    sizes = {f"{name}_bytes": pc.binary_length(table[name]) for name in _TEXTS}
    return pa.table({**sizes, "labelled_at": table["labelled_at"]})


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        *(not_null(f"{name}_bytes", f"{name} missing") for name in _TEXTS),
        *(between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in _TEXTS),
        *in_time("labelled_at", limits),
    ]


LABELS = DataContract(
    name="labels",
    schema=pa.schema(
        [
            pa.field("image_id", pa.string(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("labelled_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="labelled_at",
    checked=_checked,
    row_rules=_row_rules,
)
