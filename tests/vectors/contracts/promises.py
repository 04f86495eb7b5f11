"""What is promised about tables of vectors, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.promises import Promises
from data_contracts.rules import Rule, between, in_time, not_null

LENGTH = 3


def _checked(table: pa.Table) -> pa.Table:
    """Show rules how many numbers of a list are missing."""
    numbers = pl.DataFrame(table.select(["numbers"]))["numbers"]
    missing = numbers.list.eval(pl.element().is_null()).list.sum()
    return table.select(["row_id", "seen_at"]).append_column("missing", missing.to_arrow())


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        *(not_null(name, f"{name} missing") for name in ("row_id", "seen_at")),
        between("missing", None, LENGTH - 1, "all numbers missing"),
        *in_time("seen_at", limits),
    ]


VECTORS = DataContract(
    name="vectors",
    schema=pa.schema(
        [
            pa.field("row_id", pa.string(), nullable=False),
            pa.field("numbers", pa.list_(pa.float32()), nullable=False),
            pa.field("label", pa.float32()),
            pa.field("seen_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="seen_at",
    checked=_checked,
    row_rules=_row_rules,
)

PROMISES = Promises(truth=VECTORS, made=())
