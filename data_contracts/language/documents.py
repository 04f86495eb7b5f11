"""Documents: texts, one row each, as they came. Written by ``validate``, read by ``preprocess``."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.payloads.payload import judged, rules
from data_contracts.payloads.texts import TextLimits, texts
from data_contracts.rules import Rule, between, in_time, not_null

TEXT = texts(TextLimits(max_characters=1_000_000, may_be_blank=False))
"""What a document may hold."""


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is wrong with each text instead of it, and the bytes of its id."""
    return (
        table.select(["written_at"])
        .append_column("text_is", judged(table["text"], TEXT))
        .append_column("id_bytes", pc.binary_length(table["document_id"]))
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        not_null("text_is", "text missing"),
        *rules("text_is", TEXT),
        between("id_bytes", None, limits.max_id_bytes, "document_id too long"),
        not_null("written_at", "written_at missing"),
        *in_time("written_at", limits),
    ]


DOCUMENTS = DataContract(
    name="documents",
    schema=pa.schema(
        [
            pa.field("text", pa.binary(), nullable=False, metadata={"unit": "UTF-8"}),
            pa.field("document_id", pa.string(), metadata={"unit": "for people; null without"}),
            pa.field("written_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    rows_per_row_group=256,
    time_column="written_at",
    checked=_checked,
    row_rules=_row_rules,
)
