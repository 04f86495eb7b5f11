"""The mix of a column: which share of the rows has which value. Of two of them, how far they are apart."""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple, Self

import polars as pl
from pydantic import Field

from data_contracts.night import Value
from tasks.validate.sketches import hashes_of

HELD = 512
"""Values of a mix that are told from each other; of more, the cells that they share."""
CHANCE = 0.01
"""Of a hundred nights whose rows are drawn from the same mix as before, at most one is further apart than chance is."""


class Apart(NamedTuple):
    """How far two mixes are apart.

    Attributes:
        distance: Total variation, 0 to 1: the share of the rows of one that would have to have another value for it to
            be the other.
        chance: How much of it may come of drawing so few rows.
    """

    distance: float
    chance: float


class Mix(Value):
    """How many rows have which value. Mixes of parts of the rows are added with ``+``, in any order to the same.

    Up to `HELD` values it is exact. With more, values share as many cells by their hash, and the distance of two mixes
    is one of cells: never more than that of the values. It holds no value: only hashes of them.

    Attributes:
        counts: Hash, or cell, to the number of rows.
        in_cells: Whether these are cells.
        missing: Rows without a value: they are of the mix.
    """

    counts: dict[int, int] = Field(default_factory=dict)
    in_cells: bool = False
    missing: int = 0

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Make one of text, whole numbers or booleans."""
        tally = hashes_of(column).rename("hash").drop_nulls().value_counts(name="rows")
        if in_cells := tally.height > HELD:
            tally = tally.group_by(pl.col("hash") % HELD).agg(pl.col("rows").sum())
        return cls(counts=dict(tally.iter_rows()), in_cells=in_cells, missing=column.null_count())

    @property
    def rows(self) -> int:
        """All rows, those without a value among them."""
        return sum(self.counts.values()) + self.missing

    def __add__(self, other: Self) -> Self:
        """Return the mix of both parts' rows."""
        in_cells = self.in_cells or other.in_cells or len(self.counts.keys() | other.counts.keys()) > HELD
        counts = self._counted(in_cells=in_cells) + other._counted(in_cells=in_cells)
        return type(self)(counts=counts, in_cells=in_cells, missing=self.missing + other.missing)

    def apart(self, other: Self) -> Apart:
        """Return how far another mix is from this one; both have rows.

        Source:
            What chance does: the mean of each value's difference is at most its standard deviation, and McDiarmid's
            inequality says how far from their sum a night may be. "On the method of bounded differences", 1989.
        """
        in_cells = self.in_cells or other.in_cells
        own, others = self._counted(in_cells=in_cells), other._counted(in_cells=in_cells)
        pairs = [(own[each], others[each]) for each in own.keys() | others.keys()] + [(self.missing, other.missing)]
        rows, other_rows = self.rows, other.rows
        distance = sum(abs(one / rows - another / other_rows) for one, another in pairs) / 2
        spread = 1 / rows + 1 / other_rows
        shares = ((one + another) / (rows + other_rows) for one, another in pairs)
        expected = sum(math.sqrt(share * (1 - share) * spread) for share in shares) / 2
        return Apart(distance, expected + math.sqrt(spread * math.log(1 / CHANCE) / 2))

    def share_of(self, value: str) -> float | None:
        """Return the share of the rows with a value; None where values share cells."""
        return None if self.in_cells else self.counts.get(hashes_of(pl.Series([value]))[0], 0) / self.rows

    def _counted(self, *, in_cells: bool) -> Counter[int]:
        """Return the counts of values or of cells."""
        if self.in_cells or not in_cells:
            return Counter(self.counts)
        counted = Counter[int]()
        for value, rows in self.counts.items():
            counted[value % HELD] += rows
        return counted
