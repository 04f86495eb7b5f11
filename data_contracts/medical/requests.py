"""Requests and answers: a picture in; out comes how likely a finding is. Written by clients and the server."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.vision.requests import REQUESTS

__all__ = ["ANSWERS", "MAP_SIDE", "REQUESTS", "SAYS"]

MAP_SIDE = 32
"""Height and width of a map, at most."""
SAYS = ("yes", "no", "abstains")
"""What an answer says of the finding."""

ANSWERS = DataContract(
    name="answers",
    schema=pa.schema(
        [
            pa.field("finding", pa.string(), nullable=False, metadata={"unit": "what was looked for"}),
            pa.field("says", pa.string(), nullable=False, metadata={"unit": ", ".join(SAYS)}),
            pa.field("probability", pa.float32(), nullable=False, metadata={"unit": "of the finding, calibrated"}),
            pa.field(
                "saliency",
                pa.list_(pa.float32()),
                nullable=False,
                metadata={"unit": "0 to 1, row by row: how much the probability hangs on each place of the picture"},
            ),
            pa.field("saliency_side", pa.int32(), nullable=False, metadata={"unit": "rows and columns of saliency"}),
        ]
    ),
    written_by="server",
    read_by=("clients",),
)
