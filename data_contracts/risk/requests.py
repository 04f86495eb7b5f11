"""Requests and answers: a transaction that somebody is about to make, and how likely it goes bad. One row a request."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

REASONS = 5
"""Reasons in an answer."""

REQUESTS = DataContract(
    name="requests",
    schema=pa.schema(
        [
            pa.field("from_party", pa.string(), nullable=False, metadata={"unit": "any party, known or not"}),
            pa.field("to_party", pa.string(), nullable=False, metadata={"unit": "any other"}),
            pa.field("amount", pa.float32(), metadata={"unit": "as in the logs; null or NaN where there is none"}),
            pa.field(
                "numbers",
                pa.list_(pa.float32()),
                metadata={
                    "unit": "its own, as many as in the logs, in their order; null or NaN where one is not known"
                },
            ),
        ]
    ),
    written_by="clients",
    read_by=("server",),
)

ANSWERS = DataContract(
    name="answers",
    schema=pa.schema(
        [
            pa.field("probability", pa.float32(), nullable=False, metadata={"unit": "chance that it goes bad"}),
            pa.field(
                "reasons",
                pa.list_(pa.string()),
                nullable=False,
                metadata={"unit": f"what moved the answer most, plain words, at most {REASONS}"},
            ),
            pa.field(
                "weights",
                pa.list_(pa.float32()),
                nullable=False,
                metadata={"unit": "beside reasons: log-odds by which it was moved, above 0 towards bad"},
            ),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
