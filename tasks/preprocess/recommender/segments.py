"""The events of a range of users in pieces that fit into memory, even where one user has ten million of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import polars as pl

ORDER = ("timestamp", "item_id", "event", "user_id")
"""The order of a user's events, and among users that of their ids."""
SAMPLES_PER_SEGMENT = 1_000

Key = tuple[datetime, str, str, str]


def in_segments(events: pl.LazyFrame, rows_per_segment: int) -> Iterator[pl.DataFrame]:
    """Yield ``events`` in pieces that follow each other in `ORDER`; rows of one piece come in any order.

    Events fewer than twice ``rows_per_segment`` are one piece. Each piece reads the files once more and leaves out what
    is not its own. Rows with equal keys are never parted.

    Args:
        events: `ORDER`'s columns and others.
        rows_per_segment: A piece has about so many to twice as many.
    """
    rows = events.select(pl.len()).collect().item()
    segments = rows // rows_per_segment
    bounds = _bounds(events, rows, segments) if segments > 1 else []
    for low, high in pairwise([None, *bounds, None]):
        own = ([] if low is None else [_after(low)]) + ([] if high is None else [~_after(high)])
        yield (events.filter(*own) if own else events).collect(engine="streaming")


def _bounds(events: pl.LazyFrame, rows: int, segments: int) -> Sequence[Key]:
    """Return the last key of every segment but the last, from a sample that depends on the events alone."""
    every = max(rows // (segments * SAMPLES_PER_SEGMENT), 1)
    drawn = events.select(ORDER).filter(pl.struct(ORDER).hash() % every == 0).unique()
    sample = drawn.collect(engine="streaming").sort(ORDER)
    places = {sample.height * number // segments for number in range(1, segments)}
    return [sample.row(place) for place in sorted(places) if place < sample.height]


def _after(key: Key) -> pl.Expr:
    """Whether a row comes after ``key``."""
    after = pl.lit(value=False)
    for column, value in zip(reversed(ORDER), reversed(key), strict=True):
        after = (pl.col(column) > value) | ((pl.col(column) == value) & after)
    return after
