"""Which numbers new symbols get: plain rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from data_contracts.language.spelling import Bytes
from data_contracts.language.symbols import FIRST, MAX_SYMBOLS, SYMBOLS
from tasks.preprocess.plan import OfDay, Plan

Characters = Mapping[date, Counter[str]]
"""Day to its characters, and in how many documents each was met."""
LEAST_DOCUMENTS = 2
"""In which a character must be met in a night to get a number: so every training meets some that have none."""


class Counted(NamedTuple):
    """What there is of each day.

    Attributes:
        days: Texts, and characters in them.
        characters: In how many of the texts each was met.
    """

    days: dict[date, OfDay]
    characters: dict[date, Counter[str]]


def together(counted: Iterable[Counted]) -> Counted:
    """Add up what several files have."""
    whole = Counted({}, {})
    for each in counted:
        for day, own in each.days.items():
            before = whole.days.get(day, OfDay(0, 0))
            whole.days[day] = OfDay(before.units + own.units, before.targets + own.targets)
        for day, counts in each.characters.items():
            whole.characters.setdefault(day, Counter()).update(counts)
    return whole


def number_symbols(met: Characters, plan: Plan, known: pl.DataFrame) -> pl.DataFrame:
    """Give the next numbers to characters that have none yet: those of most documents first.

    Args:
        met: In the night's new documents.
        plan: Says which window a day is in.
        known: ``symbol``, ``symbol_number`` of every one that has a number.

    Returns:
        Rows to add to table `symbols`, by (first window, in how many documents, the character): so those
        that were known before a window are those with the lowest numbers.
    """
    rows = [(symbol, plan.of(day), count) for day, counts in met.items() for symbol, count in counts.items()]
    new = (
        pl.DataFrame(rows, schema={"symbol": pl.String, "first_window": pl.String, "count": pl.Int64}, orient="row")
        .join(known, on="symbol", how="anti")
        .group_by("symbol")
        .agg(pl.col("first_window").min(), pl.col("count").sum())
        .filter(pl.col("count") >= LEAST_DOCUMENTS)
        .top_k(MAX_SYMBOLS - known.height, by=["count", "symbol"])
        .sort("first_window", "count", "symbol", descending=[False, True, False])
        .with_row_index("symbol_number", offset=FIRST + known.height)
        .select("symbol", pl.col("symbol_number").cast(pl.Int32), "first_window", merged_from=pl.lit(None, pl.String))
    )
    assert new.columns == SYMBOLS.schema.names
    return new


def number_pairs(pairs: Sequence[str], window: str) -> pl.DataFrame:
    """Give the numbers behind those of bytes to pairs that are merged, in their order.

    Args:
        pairs: See `data_contracts.language.spelling.Subwords`.
        window: That they were learned from.

    Returns:
        Rows of table `symbols`.
    """
    return pl.DataFrame(
        {
            "symbol": [pair.replace(" ", "") for pair in pairs],
            "symbol_number": range(Bytes.count, Bytes.count + len(pairs)),
            "first_window": [window] * len(pairs),
            "merged_from": pairs,
        },
        schema=pl.Schema(SYMBOLS.schema),
    )
