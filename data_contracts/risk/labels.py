"""Labels that come by themselves: whether a transaction went bad, said some time after it happened.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.risk.transactions import KEY
from data_contracts.rules import Rule, between, in_time, not_null, one_of


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of the key."""
    return table.select(["label", "labelled_at"]).append_column("key_bytes", pc.binary_length(table[KEY.name]))


def _row_rules(limits: Limits) -> Sequence[Rule]:
    present = {"key_bytes": KEY.name, "label": "label", "labelled_at": "labelled_at"}
    return [
        *(not_null(at, f"{name} missing") for at, name in present.items()),
        between("key_bytes", None, limits.max_id_bytes, f"{KEY.name} too long"),
        one_of("label", [0, 1], "label neither 0 nor 1"),
        *in_time("labelled_at", limits),
    ]


LABELS = DataContract(
    name="labels",
    schema=pa.schema(
        [
            KEY.with_nullable(nullable=False),
            pa.field("label", pa.int8(), nullable=False, metadata={"unit": "1 bad, 0 good"}),
            pa.field(
                "labelled_at",
                pa.timestamp("us", tz="UTC"),
                nullable=False,
                metadata={"unit": "when it became known; it counts for what happens on later days"},
            ),
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
