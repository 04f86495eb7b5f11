"""How often each item was met, ever and lately, and how many events each user has: what a model may know of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table

Numbers = NDArray[np.int64]
Scores = NDArray[np.float64]


class Days(NamedTuple):
    """Whole days.

    Attributes:
        first: The first of them.
        end: The first one after them.
    """

    first: date
    end: date

    @classmethod
    def before(cls, day: date | None, count: int) -> Days | None:
        """Return the last ``count`` days before ``day``; None where windows have no days."""
        return None if day is None else cls(day - timedelta(days=count), day)


def item_counts(tables: TablesAt, windows: tuple[str, ...]) -> Numbers:
    """Count the events of each item first met in ``windows``.

    Returns:
        (N + 1,), row 0 for padding; N is how many such items there are: they are numbered in window order.

    Raises:
        ValueError: No item was met.
    """
    in_windows = pc.field("window").isin(windows)
    items = Table(tables.folder, ITEMS).read(
        tables.versions[ITEMS.name], columns=["item_index"], where=pc.field("first_window").isin(windows)
    )
    if not items.num_rows:
        raise ValueError(f"no items in windows {', '.join(windows)} of {tables.folder}: nothing to learn from.")
    counts = Table(tables.folder, ITEM_COUNTS).read(tables.versions[ITEM_COUNTS.name], where=in_windows)
    total = np.bincount(
        counts["item_index"].to_numpy(), weights=counts["count"].to_numpy(), minlength=items.num_rows + 1
    )
    return total.astype(np.int64)


def day_counts(tables: TablesAt, days: Days, length: int) -> Numbers:
    """Count the events of the items below number ``length`` on some days, (length,); no other day is read."""
    events = Table(tables.folder, EVENTS).dataset(tables.versions[EVENTS.name])
    on_days = (pc.field("day") >= days.first) & (pc.field("day") < days.end)
    counted = pl.DataFrame(schema={"item_id": pl.String, "count": pl.UInt32})
    for batch in events.to_batches(columns=["item_id"], filter=on_days):
        met = pl.DataFrame(batch).group_by("item_id").len("count")
        counted = pl.concat([counted, met]).group_by("item_id").agg(pl.col("count").sum())
    items = Table(tables.folder, ITEMS).read(
        tables.versions[ITEMS.name], columns=["item_id", "item_index"], where=pc.field("item_index") < length
    )
    numbered = counted.join(pl.DataFrame(items), on="item_id")
    counts = np.zeros(length, np.int64)
    counts[numbered["item_index"].to_numpy()] = numbered["count"].to_numpy()
    return counts


def popular_lately(tables: TablesAt, days: Days | None, ever: Numbers, held_back: Numbers) -> Scores:
    """Count how popular each item is on ``days``; how often it was met at all, as a fraction, decides between equals.

    Args:
        tables: Have the events.
        days: Those that count; where there are none, all events do.
        ever: All events of each item, (N + 1,).
        held_back: Those of them that must not count, (N + 1,).
    """
    if days is None:
        return (ever - held_back).astype(np.float64)
    scores: Scores = day_counts(tables, days, len(ever)) - held_back + ever / (ever.max() + 1)
    return scores


def frequent_users(tables: TablesAt, windows: tuple[str, ...], min_count: int) -> pl.Series:
    """Return ``user_id`` of the users with at least ``min_count`` events by the end of ``windows``."""
    histories = Table(tables.folder, STATE).read(
        tables.versions[STATE.name],
        columns=["user_id", "event_count"],
        where=pc.field("window").isin(windows) & (pc.field("event_count") >= min_count),
    )
    return pl.DataFrame(histories)["user_id"].unique()
