"""Requests and answers: who asks what, and what comes back. Written by clients and the server, one row a request.

Only a network of kind ``hstu`` looks at ``times``.

Over the Open Inference Protocol a column is a tensor of the same name: text is BYTES ``[n]``, a list is ``[n, m]``
padded with empty strings (in ``times`` a row of these: not known), ``k`` is INT32 or INT64 ``[n]`` or ``[1]``.
"""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

DEFAULT_K = 10
"""Items in an answer when the request does not say."""

MAX_K = 1000
"""Most items in one answer."""

MAX_HISTORY = 10_000
"""Most items in one history; of these the newest count, as many as the network reads."""

REQUESTS = DataContract(
    name="requests",
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), metadata={"unit": "a user of the logs; this or history, not both"}),
            pa.field(
                "history",
                pa.list_(pa.string()),
                metadata={"unit": f"item_id, oldest first, at most {MAX_HISTORY}; or user_id"},
            ),
            pa.field("k", pa.int32(), metadata={"unit": f"items wanted, 1…{MAX_K}; {DEFAULT_K} when null"}),
            pa.field(
                "times",
                pa.list_(pa.string()),
                metadata={"unit": "ISO 8601, UTC unless said, beside history; null or empty: not known"},
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
            pa.field(
                "item_id", pa.list_(pa.string()), nullable=False, metadata={"unit": "best first; at most k of them"}
            ),
            pa.field(
                "score",
                pa.list_(pa.float32()),
                nullable=False,
                metadata={
                    "unit": "beside item_id: the network's logit, or events counted lately where source is popular"
                },
            ),
            pa.field(
                "source",
                pa.string(),
                nullable=False,
                metadata={"unit": "history or popular, and after a colon why, or what was skipped"},
            ),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
