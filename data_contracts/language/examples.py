"""Examples: documents as numbers of symbols, by window. Written by ``preprocess``; read by everybody after it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.days import end_of
from data_contracts.language.symbols import FIRST, MAX_SYMBOLS, UNKNOWN
from data_contracts.rules import Rule, between

BANDS = 8
"""Numbers by which a document is known again, see `data_contracts.language.twins`."""


def _checked(table: pa.Table) -> pa.Table:
    """Show rules how long each document is, the lowest and the highest number of all, and how many bands each has."""
    bounds = pc.min_max(pc.list_flatten(table["symbols"])).as_py()
    rows = table.num_rows
    return (
        table.select(["characters", "bytes", "written_at"])
        .append_column("symbols", pc.list_value_length(table["symbols"]))
        .append_column("lowest", pa.repeat(pa.scalar(bounds["min"], pa.int32()), rows))
        .append_column("highest", pa.repeat(pa.scalar(bounds["max"], pa.int32()), rows))
        .append_column("bands", pc.list_value_length(table["bands"]))
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("symbols", 1, None, "document without a symbol"),
        between("characters", 1, None, "document without a character"),
        between("bytes", 1, None, "document without a byte"),
        between("lowest", UNKNOWN, None, "symbol below the lowest"),
        between("highest", None, FIRST + MAX_SYMBOLS - 1, "symbol above the highest"),
        between("bands", BANDS, BANDS, "bands of another number"),
        between("written_at", None, end_of(limits.latest, limits.day_zone), "written_at after through"),
    ]


EXAMPLES = DataContract(
    name="examples",
    schema=pa.schema(
        [
            pa.field("symbols", pa.list_(pa.int32()), nullable=False, metadata={"unit": "numbers, in order"}),
            pa.field("characters", pa.int32(), nullable=False),
            pa.field("bytes", pa.int32(), nullable=False, metadata={"unit": "of UTF-8"}),
            pa.field("bands", pa.list_(pa.int64()), nullable=False, metadata={"unit": "by which twins are found"}),
            pa.field("written_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate", "register"),
    partition_by="window",
    rows_per_row_group=256,
    checked=_checked,
    row_rules=_row_rules,
)
