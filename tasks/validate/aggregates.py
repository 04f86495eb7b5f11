"""What is kept of accepted rows to judge them all together: a sketch or a mix of each column asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import add
from typing import Protocol, Self, TypeVar

import polars as pl
import pyarrow as pa

from tasks.validate.mix import Mix
from tasks.validate.sketches import Distinct, Quantiles
from tasks.validate.table_rules import TableRules


class _Addable(Protocol):
    def __add__(self, other: Self) -> Self: ...


Kept = TypeVar("Kept", bound=_Addable)


@dataclass(frozen=True)
class Aggregates:
    """Of some rows. Those of other rows are added with ``+``; together they take 60 KB a column, whatever it holds.

    Attributes:
        distinct: Column to the number of its values.
        quantiles: Column to how its numbers lie.
        mixes: Column to its mix.
    """

    distinct: Mapping[str, Distinct] = field(default_factory=dict)
    quantiles: Mapping[str, Quantiles] = field(default_factory=dict)
    mixes: Mapping[str, Mix] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table, rules: TableRules) -> Self:
        """Keep what some rules ask for.

        Args:
            rows: Accepted, each once.
            rules: Of their table.
        """
        asked = {*rules.distinct, *rules.quantiles, *rules.drift}
        columns = pl.DataFrame(rows.select(sorted(asked)))
        return cls(
            distinct={name: Distinct.of(columns[name]) for name in rules.distinct},
            quantiles={name: Quantiles.of(columns[name]) for name in rules.quantiles},
            mixes={name: Mix.of(columns[name]) for name in rules.drift},
        )

    def __add__(self, other: Self) -> Self:
        """Return those of both sets of rows."""
        return type(self)(
            distinct=_added(self.distinct, other.distinct),
            quantiles=_added(self.quantiles, other.quantiles),
            mixes=_added(self.mixes, other.mixes),
        )


NONE = Aggregates()
"""Of no rows."""


def _added(some: Mapping[str, Kept], others: Mapping[str, Kept]) -> dict[str, Kept]:
    both = {name: add(some[name], others[name]) for name in some.keys() & others.keys()}
    return {**some, **others, **both}
