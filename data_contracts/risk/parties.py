"""Parties and their numbers. Written by ``preprocess``; read by ``preprocess``, ``train``, ``evaluate``, the server."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, between, unique

EVERYBODY = 0
"""No party's number. The sums of all together are under it, and a party that nobody knows has it."""
LAST_NUMBER = 2**24
"""The numbers up to here are exact in float32, in which batches have them."""


def _rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    return [
        between("number", EVERYBODY + 1, LAST_NUMBER, f"number out of 1…{LAST_NUMBER:,}"),
        unique("number", "number given twice"),
        unique("party", "party numbered twice"),
    ]


PARTIES = DataContract(
    name="parties",
    schema=pa.schema(
        [
            pa.field("party", pa.string(), nullable=False),
            pa.field("number", pa.int32(), nullable=False, metadata={"unit": "1…, in order of windows; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "train", "evaluate", "register"),
    row_rules=_rules,
)
