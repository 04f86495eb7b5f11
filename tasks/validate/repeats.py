"""Exact repeats: of tonight's rows, and of rows that the table has (ADR 5).

Rows that are equal have a bucket and a day in common, and the table's files are parted by both. Only a sound row can be
a repeat: of one that says not even who, what or when, nobody knows whether it is the same as another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from data_contracts.contract import DataContract
from data_contracts.reading import scan
from data_contracts.staging import incoming, required

BYTES_HELD = 256 * 1024 * 1024
"""After which repeats are dropped before more rows are read. Most ranges hold fewer, and are looked through once."""


def is_sound(contract: DataContract) -> pl.Expr:
    """Return whether a staged row could be read, and says all that no row may be without."""
    return pl.all_horizontal(pl.col("problem").is_null(), pl.col(required(contract)).is_not_null())


def first_of_equal(blocks: Iterable[pl.DataFrame], contract: DataContract) -> tuple[pl.DataFrame, int]:
    """Return staged rows, of sound ones the first of those that are equal, in their order, and how many there were.

    What is in memory is bounded by the rows returned and `BYTES_HELD`, however many repeats there are.

    Args:
        blocks: Of staged rows; one at least.
        contract: Of the table that they are for.
    """
    held: list[pl.DataFrame] = []
    read, waiting = 0, 0.0
    for block in blocks:
        held.append(block)
        read += block.height
        waiting += block.estimated_size()
        if waiting > BYTES_HELD:
            held, waiting = [_first_of_equal(pl.concat(held), contract)], 0.0
    return _first_of_equal(pl.concat(held), contract), read


def _first_of_equal(rows: pl.DataFrame, contract: DataContract) -> pl.DataFrame:
    by = incoming(contract).names
    hashes = rows.select(pl.struct(by).hash()).to_series()
    if hashes.n_unique() == rows.height:
        return rows
    likely = rows.select(is_sound(contract)).to_series() & hashes.is_duplicated()
    numbered = rows.with_row_index("number")
    first = numbered.filter(likely).unique(by, keep="first")
    return pl.concat([numbered.filter(~likely), first]).sort("number").drop("number")


def known(rows: pl.DataFrame, files: Sequence[str], contract: DataContract) -> pl.Series:
    """Return which of the staged rows are sound and in ``files`` of their table already; no two of them are equal."""
    by = incoming(contract).names
    if not files:
        return pl.repeat(value=False, n=rows.height, eager=True, dtype=pl.Boolean)
    candidates = rows.lazy().with_row_index("number").filter(is_sound(contract)).select("number", *by)
    there = scan(files, contract).select(by).join(candidates, on=by, how="inner", nulls_equal=True)
    numbers = there.select(pl.col("number").unique()).collect(engine="streaming")["number"]
    return pl.int_range(rows.height, eager=True).cast(numbers.dtype).is_in(numbers.implode())
