"""Symbols: the characters ever met, and their numbers. Written by ``preprocess``; read by everybody after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import between

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

BOUNDARY, UNKNOWN, FIRST = 0, 1, 2
"""Number of what stands between documents, of every character that has none, and the first one of a character."""
MAX_SYMBOLS = 20_000
"""Characters that are numbered, at most: a network has an output for each. Those met least often have none."""


def _row_rules(limits: Limits) -> Sequence[Expectation]:  # noqa: ARG001
    from great_expectations.expectations import ExpectColumnValuesToBeUnique

    return [
        between("symbol_number", FIRST, FIRST + MAX_SYMBOLS - 1, "symbol_number out of range"),
        ExpectColumnValuesToBeUnique(column="symbol_number", meta={"rule": "symbol_number given twice"}),
        ExpectColumnValuesToBeUnique(column="symbol", meta={"rule": "symbol numbered twice"}),
    ]


SYMBOLS = DataContract(
    name="symbols",
    schema=pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False, metadata={"unit": "one character"}),
            pa.field("symbol_number", pa.int32(), nullable=False, metadata={"unit": f"{FIRST}…; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "train", "evaluate"),
    row_rules=_row_rules,
)
