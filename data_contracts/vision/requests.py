"""Requests and answers: an image in, what it shows out. Written by clients and the server, one row a request."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract

MAX_K = 5
"""Classes in an answer, at most."""

REQUESTS = DataContract(
    name="requests",
    schema=pa.schema([pa.field("image", pa.binary(), nullable=False, metadata={"unit": "a PNG or a JPEG"})]),
    written_by="clients",
    read_by=("server",),
)

ANSWERS = DataContract(
    name="answers",
    schema=pa.schema(
        [
            pa.field("label", pa.string(), nullable=False, metadata={"unit": "the most probable class"}),
            pa.field(
                "classes",
                pa.list_(pa.string()),
                nullable=False,
                metadata={"unit": f"the most probable first, {MAX_K} at most"},
            ),
            pa.field("probabilities", pa.list_(pa.float32()), nullable=False, metadata={"unit": "beside classes"}),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
