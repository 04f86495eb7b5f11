"""Transcripts that come by themselves: what is said in a recording, written down later, or before it came.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.payloads.payload import judged, rules
from data_contracts.payloads.texts import TextLimits, texts
from data_contracts.rules import Rule, between, in_time, not_null
from data_contracts.speech.transcribed import MAX_CHARACTERS, letters, normalised

TEXT = texts(TextLimits(max_characters=MAX_CHARACTERS, may_be_blank=False))
"""What a transcript may hold."""


def of_texts(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return what rules see of transcripts: what is wrong with each, and how many letters and numbers it says."""
    said = [None if text is None else letters(normalised(text)) for text in column.to_pylist()]
    return {"text_is": judged(column.cast(pa.binary()), TEXT), "letters": pa.array(said, pa.int32())}


def text_rules() -> list[Rule]:
    """Return the rules of a transcript, where there is one."""
    return [*rules("text_is", TEXT), between("letters", 1, None, "text without a letter or a number")]


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is wrong with texts, and the bytes of ids."""
    id_bytes = pc.binary_length(table["recording_id"])
    return pa.table(
        {**of_texts(table["text"]), "recording_id_bytes": id_bytes, "transcribed_at": table["transcribed_at"]}
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        not_null("recording_id_bytes", "recording_id missing"),
        between("recording_id_bytes", None, limits.max_id_bytes, "recording_id too long"),
        not_null("text_is", "text missing"),
        *text_rules(),
        *in_time("transcribed_at", limits),
    ]


TRANSCRIPTS = DataContract(
    name="transcripts",
    schema=pa.schema(
        [
            pa.field("recording_id", pa.string(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("transcribed_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="transcribed_at",
    checked=_checked,
    row_rules=_row_rules,
)
