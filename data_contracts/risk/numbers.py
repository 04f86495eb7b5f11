"""A row's own numbers: what it says of itself beside who deals with whom. As many in every row, in one order."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import Step
from data_contracts.rules import Rule, between

NUMBERS = pa.field(
    "numbers", pa.list_(pa.float32()), metadata={"unit": "any ones, known when it happens; null: not known"}
)
"""Column of contracts. A list that is null has none that is known."""
WITH_NUMBERS = Step(added=(NUMBERS,))
"""From version 1 of a contract to 2."""


def checked(table: pa.Table) -> pa.Table:
    """Show rules how many numbers of each list are not finite, and how many more it has than most lists."""
    import polars as pl

    lists = pl.DataFrame(table.select([NUMBERS.name])).to_series()
    lengths = lists.list.len().cast(pl.Int64)
    odd = lists.list.eval((~pl.element().is_finite()).cast(pl.Int64)).list.sum()
    usual = lengths.drop_nulls().mode().max()
    return pl.DataFrame({"numbers_odd": odd, "numbers_more": lengths - usual}).to_arrow()


def rules() -> list[Rule]:
    """Ask for finite numbers, and for as many in every row of a file: what stands where must not change."""
    return [
        between("numbers_odd", 0, 0, "numbers not finite"),
        between("numbers_more", 0, 0, "numbers of another length"),
    ]
