"""Recordings: one row each, as it came, with what is said in it if anybody wrote it down.

Written by ``validate``, read by ``preprocess``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.payloads.payload import judged, rules
from data_contracts.payloads.sounds import SoundLimits, Sounds
from data_contracts.rules import Rule, between, in_time, not_null
from data_contracts.speech.transcripts import of_texts, text_rules

SOUND = Sounds(SoundLimits(seconds=(0.1, 60.0), may_be_silent=False)).payload
"""What a recording may be."""

_IDS = ("recording_id", "speaker_id")


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is wrong with each sound instead of its bytes, and what of its texts."""
    seen = table.select(["spoken_at"]).append_column("sound_is", judged(table["sound"], SOUND))
    for name, column in of_texts(table["text"]).items():
        seen = seen.append_column(name, column)
    for name in _IDS:
        seen = seen.append_column(f"{name}_bytes", pc.binary_length(table[name]))
    return seen


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        not_null("sound_is", "sound missing"),
        *rules("sound_is", SOUND),
        *text_rules(),
        *(between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in _IDS),
        not_null("spoken_at", "spoken_at missing"),
        *in_time("spoken_at", limits),
    ]


RECORDINGS = DataContract(
    name="recordings",
    schema=pa.schema(
        [
            pa.field("sound", pa.binary(), nullable=False, metadata={"unit": "a WAV or a FLAC, as it came"}),
            pa.field("text", pa.string(), metadata={"unit": "what is said; null where nobody wrote it down yet"}),
            pa.field("spoken_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
            pa.field(
                "recording_id",
                pa.string(),
                metadata={"unit": "by which a transcript of its own finds it; null without"},
            ),
            pa.field("speaker_id", pa.string(), metadata={"unit": "who speaks; null without"}),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    rows_per_row_group=64,
    time_column="spoken_at",
    checked=_checked,
    row_rules=_row_rules,
)
