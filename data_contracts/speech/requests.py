"""Requests and answers: a recording in, what is said in it out. Written by clients and the server."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

MAX_SECONDS = 60.0
"""Of one recording."""
MAX_SECONDS_TOGETHER = 300.0
"""Of all recordings of one call: it must not keep the server from others."""

REQUESTS = DataContract(
    name="requests",
    schema=pa.schema([pa.field("sound", pa.binary(), nullable=False, metadata={"unit": "a WAV or a FLAC"})]),
    written_by="clients",
    read_by=("server",),
)


def _times(unit: str) -> pa.Field:
    return pa.field(unit, pa.list_(pa.float32()), nullable=False, metadata={"unit": f"s: when each word {unit}"})


ANSWERS = DataContract(
    name="answers",
    schema=pa.schema(
        [
            pa.field("text", pa.string(), nullable=False, metadata={"unit": "what is said; empty where nothing is"}),
            pa.field("words", pa.list_(pa.string()), nullable=False, metadata={"unit": "of the text, in order"}),
            _times("begins"),
            _times("ends"),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
