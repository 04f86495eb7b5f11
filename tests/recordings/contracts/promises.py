"""Recordings: a sound, what was said in it, or both, each a file's bytes. Made up, for payloads on their way in."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.payloads.payload import judged, rules
from data_contracts.payloads.sounds import SoundLimits, Sounds
from data_contracts.payloads.texts import TextLimits, texts
from data_contracts.promises import Promises
from data_contracts.rules import Rule, in_time

SOUND = Sounds(SoundLimits(seconds=(0.1, 2))).payload
SAID = texts(TextLimits(max_characters=100), name="said")


def _checked(table: pa.Table) -> pa.Table:
    return (
        table.select(["at"])
        .append_column("sound_is", judged(table["sound"], SOUND))
        .append_column("said_is", judged(table["said"], SAID))
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [*rules("sound_is", SOUND), *rules("said_is", SAID), *in_time("at", limits)]


RECORDINGS = DataContract(
    name="recordings",
    schema=pa.schema(
        [
            pa.field("sound", pa.binary(), metadata={"unit": "a WAV or a FLAC, as it came"}),
            pa.field("said", pa.binary(), metadata={"unit": "UTF-8"}),
            pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    rows_per_row_group=256,
    time_column="at",
    checked=_checked,
    row_rules=_row_rules,
)

PROMISES = Promises(truth=RECORDINGS, made=())
