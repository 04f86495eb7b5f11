"""Requests and answers: a text in, how it goes on and how likely it is out. One row a request.

Who asks for pieces gets `PIECES`: how the text goes on, and nothing of what it was sent.
"""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

MAX_CHARACTERS, MAX_NEW = 100_000, 1_000
"""Of all prompts of a call together; and symbols that all are gone on with."""
NEW, TEMPERATURE, SEED = 100, 1.0, 0
"""Where a request does not say."""

REQUESTS = DataContract(
    name="requests",
    schema=pa.schema(
        [
            pa.field(
                "prompt", pa.string(), nullable=False, metadata={"unit": f"{MAX_CHARACTERS:,} characters at most"}
            ),
            pa.field(
                "max_new",
                pa.int32(),
                metadata={"unit": f"symbols (characters, bytes or subwords) to add, 0 to {MAX_NEW:,}; {NEW} if null"},
            ),
            pa.field(
                "temperature",
                pa.float32(),
                metadata={"unit": f"0: the likeliest symbol each time; {TEMPERATURE:g} if null, or NaN"},
            ),
            pa.field("seed", pa.int32(), metadata={"unit": f"of what is drawn; {SEED} if null"}),
        ]
    ),
    written_by="clients",
    read_by=("server",),
)

ANSWERS = DataContract(
    name="answers",
    schema=pa.schema(
        [
            pa.field("continuation", pa.string(), nullable=False, metadata={"unit": "ends early where a text would"}),
            pa.field(
                "nats_a_character",
                pa.float32(),
                nullable=False,
                metadata={"unit": "of the prompt: less is likelier; 0 without one"},
            ),
            pa.field(
                "context",
                pa.int32(),
                nullable=False,
                metadata={"unit": "last symbols of the prompt that the first new one is drawn from"},
            ),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)

PIECES = DataContract(
    name="pieces",
    schema=pa.schema(
        [
            pa.field(
                "continuation",
                pa.string(),
                nullable=False,
                metadata={
                    "unit": "a character, or those of a subword; all pieces together are the answer's continuation"
                },
            )
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
