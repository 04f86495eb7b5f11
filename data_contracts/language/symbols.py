"""Symbols: the characters ever met, or what bytes are merged to, and their numbers.

Written by ``preprocess``; read by everybody after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.rules import Rule, between, equal, unique

BOUNDARY, UNKNOWN, FIRST = 0, 1, 2
"""Number of what stands between documents, of every character that has none, and the first one of a character."""
MAX_SYMBOLS = 20_000
"""Symbols that are numbered, at most: a network has an output for each. Characters met least often have none."""


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what each pair comes to when it is merged; of a symbol that is no pair, the symbol."""
    merged = pc.replace_substring(table["merged_from"], " ", "", max_replacements=1)
    return table.append_column("merged", pc.coalesce(merged, table["symbol"]))


def _row_rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    return [
        between("symbol_number", FIRST, FIRST + MAX_SYMBOLS - 1, "symbol_number out of range"),
        unique("symbol_number", "symbol_number given twice"),
        unique("symbol", "symbol numbered twice"),
        equal("symbol", "merged", "symbol is not what it is merged from"),
    ]


_MERGED_FROM = pa.field(
    "merged_from", pa.string(), metadata={"unit": "the two symbols side by side, a blank between; null of a character"}
)

SYMBOLS = DataContract(
    name="symbols",
    schema=pa.schema(
        [
            pa.field(
                "symbol",
                pa.string(),
                nullable=False,
                metadata={"unit": "one character, or one for each byte (`BYTES`)"},
            ),
            pa.field("symbol_number", pa.int32(), nullable=False, metadata={"unit": f"{FIRST}…; never moves"}),
            pa.field("first_window", pa.string(), nullable=False),
            _MERGED_FROM,
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "train", "evaluate"),
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(added=(_MERGED_FROM,)),),
)


def spelled(rows: pa.Table) -> tuple[str, ...]:
    """Return symbols by their numbers, as `data_contracts.language.spelling` takes them: of merged ones the pair.

    Args:
        rows: Of the table, all columns.
    """
    ordered = rows.sort_by("symbol_number")
    return tuple(pc.coalesce(ordered["merged_from"], ordered["symbol"]).to_pylist())
