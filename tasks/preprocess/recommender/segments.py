"""The events of a range of users in pieces that fit into memory, even where one user has ten million of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import polars as pl

from tasks.preprocess.recommender.order import PLACE, place

MOMENT = ("timestamp", "user_id")
"""What pieces are cut by: the events of a user's moment, whose order is a hash, stay together."""
SAMPLES_PER_SEGMENT = 1_000

Moment = tuple[datetime, str]


def in_segments(events: pl.LazyFrame, rows_per_segment: int) -> Iterator[pl.DataFrame]:
    """Yield ``events`` in pieces that follow each other in time; rows of one piece come in any order.

    Events fewer than twice ``rows_per_segment`` are one piece. Each piece reads the files once more and leaves out what
    is not its own. What one user did in one moment is never parted, however much it is.

    Args:
        events: ``user_id``, ``item_id``, ``event``, ``timestamp`` and others.
        rows_per_segment: A piece has about so many to twice as many.
    """
    rows = events.select(pl.len()).collect().item()
    segments = rows // rows_per_segment
    bounds = _bounds(events, rows, segments) if segments > 1 else []
    for low, high in pairwise([None, *bounds, None]):
        own = ([] if low is None else [_after(low)]) + ([] if high is None else [~_after(high)])
        yield (events.filter(*own) if own else events).collect(engine="streaming")


def _bounds(events: pl.LazyFrame, rows: int, segments: int) -> Sequence[Moment]:
    """Return the last moment of every segment but the last, from a sample that depends on the events alone."""
    every = max(rows // (segments * SAMPLES_PER_SEGMENT), 1)
    drawn = events.with_columns(place()).filter(pl.col(PLACE) % every == 0).select(MOMENT)
    sample = drawn.collect(engine="streaming").sort(MOMENT)
    places = {sample.height * number // segments for number in range(1, segments)}
    return sorted({sample.row(place) for place in places if place < sample.height})


def _after(moment: Moment) -> pl.Expr:
    """Whether a row comes after ``moment``."""
    time, user = moment
    return (pl.col("timestamp") > time) | ((pl.col("timestamp") == time) & (pl.col("user_id") > user))
