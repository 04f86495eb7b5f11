"""Sketches of a column: a few tens of KB that say how many values it has, or how its numbers lie, whatever it holds.

They are made of parts of the rows and added up; of Apache DataSketches. Each says between what the truth lies, too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
import polars_hash as plh

LOG2_REGISTERS = 14
"""Of a `Distinct`: 16 KB at most."""
SURE = 3
"""Standard deviations within which a number of values surely is: of 1,000 nights 3 are not."""
ITEMS_A_LEVEL = 1024
"""K of a `Quantiles`: 25 KB at most."""


class Estimate(NamedTuple):
    """What a sketch says, and between what the truth surely is; all three are the same where it is exact."""

    low: float
    seen: float
    high: float


def hashes_of(column: pl.Series) -> pl.Series:
    """Return xxhash64 of each value as text, uint64, the same on every machine for ever; null of null."""
    return pl.DataFrame({"value": column.cast(pl.String)}).select(plh.col("value").nchash.xxhash64()).to_series()


@dataclass(frozen=True)
class Distinct:
    """How many values a column has, nulls left out: a HyperLogLog sketch.

    Up to 1,536 values it is exact, but for two whose hashes are alike (once in 25 million pairs). Beyond, its standard
    error is 0.8 %. However the rows were parted, and in whatever order the parts were added, it says the same.

    Attributes:
        sketch: As the library writes it, of hashes.

    Source:
        Flajolet et al., "HyperLogLog", 2007.
    """

    sketch: bytes

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Make one of text or whole numbers."""
        import datasketches

        sketch = datasketches.hll_sketch(LOG2_REGISTERS, datasketches.HLL_8)
        hashes = hashes_of(column).drop_nulls().unique().reinterpret(signed=True)
        deque(map(sketch.update, hashes.to_list()), maxlen=0)
        return cls(sketch.serialize_compact())

    def __add__(self, other: Self) -> Self:
        """Return the sketch of both parts' rows."""
        import datasketches

        union = datasketches.hll_union(LOG2_REGISTERS)
        for each in (self, other):
            union.update(datasketches.hll_sketch.deserialize(each.sketch))
        return type(self)(union.get_result(datasketches.HLL_8).serialize_compact())

    def estimate(self) -> Estimate:
        """Return how many values there are."""
        import datasketches

        merged = self + self  # one that was never merged is estimated in another way, which knows the order of rows
        sketch = datasketches.hll_sketch.deserialize(merged.sketch)
        low, seen, high = sketch.get_lower_bound(SURE), sketch.get_estimate(), sketch.get_upper_bound(SURE)
        return Estimate(round(low), round(seen), round(high))


@dataclass(frozen=True)
class Quantiles:
    """How a column's numbers lie, nulls and NaN left out, infinities among them: a KLL sketch.

    Up to 1,024 numbers it is exact. Beyond, a quantile's rank is off by less than 0.0028 of the numbers, 99 times of a
    hundred. It draws at random which numbers it keeps, so within that two sketches of the same rows may differ.
    Integers beyond 2^53 are taken for their neighbours.

    Attributes:
        sketch: As the library writes it, of doubles.

    Source:
        Karnin, Lang and Liberty, "Optimal quantile approximation in streams", 2016.
    """

    sketch: bytes

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Make one of numbers."""
        import datasketches

        sketch = datasketches.kll_doubles_sketch(ITEMS_A_LEVEL)
        sketch.update(column.cast(pl.Float64).drop_nulls().to_numpy(writable=True))
        return cls(sketch.serialize())

    def __add__(self, other: Self) -> Self:
        """Return the sketch of both parts' rows."""
        import datasketches

        sketch, others = (datasketches.kll_doubles_sketch.deserialize(each.sketch) for each in (self, other))
        sketch.merge(others)
        return type(self)(sketch.serialize())

    def at(self, quantile: float) -> Estimate | None:
        """Return the number at a quantile, as Great Expectations has it: the one nearest to it; None without any.

        Args:
            quantile: From 0, the smallest, to 1, the largest: these two are always exact.
        """
        import datasketches

        sketch: Any = datasketches.kll_doubles_sketch.deserialize(self.sketch)
        if sketch.is_empty():
            return None
        place = int(np.rint(quantile * (sketch.n - 1)))
        if place in {0, sketch.n - 1}:
            end = sketch.get_max_value() if place else sketch.get_min_value()
            return Estimate(end, end, end)
        rank = (place + 0.5) / sketch.n
        error = sketch.normalized_rank_error(as_pmf=False) if sketch.is_estimation_mode() else 0.0
        ranks = (max(rank - error, 0.0), rank, min(rank + error, 1.0))
        return Estimate(*(sketch.get_quantile(each, inclusive=True) for each in ranks))
