"""What Dask workers do for a night: read staging and tables, write files that nobody sees yet."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import fsspec
import polars as pl

from data_contracts.table import Part
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.cut import close, cut_window
from tasks.preprocess.recommender.histories import newest_histories
from tasks.preprocess.recommender.items import count_by_number, number_items
from tasks.preprocess.recommender.plan import Plan, count_by_day
from tasks.preprocess.recommender.segments import in_segments
from tasks.preprocess.recommender.spread import Spread
from tasks.preprocess.recommender.tables import Tables
from tasks.preprocess.write import write_checked


@dataclass(frozen=True)
class Order:
    """What is the same for every worker of a night.

    Attributes:
        spread: The night's new events, by range of users.
        plan: Their windows.
        tables: URI under which every table has a folder of its own.
        name: Prefix of the files' names, this night's own.
        features: How examples are cut.
        rows_per_segment: Events that are cut at once, about; see `in_segments`.
        day_zone: Zone whose days windows are cut by.
    """

    spread: Spread
    plan: Plan
    tables: str
    name: str
    features: FeatureConfig
    rows_per_segment: int
    day_zone: str


class RangeCut(NamedTuple):
    """One range of users, cut.

    Attributes:
        parts: Files written, by table.
        counts: By window.
        newcomers: Users without a history before the night.
    """

    parts: dict[str, list[Part]]
    counts: dict[str, WindowCounts]
    newcomers: int


def survey_range(number: int, spread: Spread, day_zone: str) -> pl.DataFrame:
    """Count a range's targets and users by day."""
    return count_by_day(spread.read(number), day_zone)


def count_range(number: int, order: Order) -> str:
    """Count a range's events into a Parquet file of ``item_id``, ``window``, ``count``, and return its URI."""
    events = order.plan.assign(order.spread.read(number), order.day_zone)
    counts = events.group_by("item_id", "window").agg(count=pl.len().cast(pl.Int64)).collect(engine="streaming")
    uri = posixpath.join(order.spread.folder, "counts", f"{number:05}.parquet")
    with fsspec.open(uri, "wb", auto_mkdir=True) as file:
        counts.write_parquet(file)
    return uri


def write_items(counts: Sequence[str], order: Order) -> list[Part]:
    """Write the items that had no number before this night, from the files of `count_range`."""
    table = Tables(order.tables)
    new = number_items(_add(counts), table.numbered())
    return write_checked(table.items, new, order.name, order.plan.window.last_day, order.day_zone)


def write_item_counts(counts: Sequence[str], order: Order) -> list[Part]:
    """Write how often each item was met in each window; every item has a number by now."""
    table = Tables(order.tables)
    rows = count_by_number(_add(counts), table.numbered())
    return write_checked(table.item_counts, rows, order.name, order.plan.window.last_day, order.day_zone)


def _add(counts: Sequence[str]) -> pl.DataFrame:
    return pl.scan_parquet(list(counts), glob=False).group_by("item_id", "window").agg(pl.sum("count")).collect()


def cut_range(number: int, order: Order, versions: Mapping[str, int | None], write: Sequence[str]) -> RangeCut:
    """Cut a range's events into examples and histories, segment after segment, and window after window in each.

    Memory holds one segment, and what is remembered of the range's users.

    Args:
        number: Of the range.
        order: Of the night.
        versions: Of table `items`, where every item of the night has its number, and of `histories`, before the night.
        write: The tables still to be written, of `examples` and `histories`.
    """
    tables = Tables(order.tables)
    events = order.spread.read(number)
    items = tables.numbered(versions["items"])
    users = events.select("user_id").unique().collect(engine="streaming")
    known = newest_histories(tables.histories, versions["histories"], users, order.spread.buckets(number))
    progress = _Progress(order, items, known)
    name, last_day = f"{order.name}-{order.spread.name(number)}", order.plan.window.last_day
    parts: dict[str, list[Part]] = {table: [] for table in write}
    whole = order.plan.protocol == "leave_one_out"  # a user's last two events are found among all of them
    for segment, rows in enumerate([events.collect()] if whole else in_segments(events, order.rows_per_segment)):
        examples = progress.cut(rows)
        if "examples" in write:
            part = f"{name}-{segment:03}" if segment else name
            parts["examples"] += write_checked(tables.examples, examples, part, last_day, order.day_zone)
    if "histories" in write:
        parts["histories"] += write_checked(tables.histories, progress.histories(), name, last_day, order.day_zone)
    return RangeCut(parts, progress.counts(), newcomers=users.height - known.height)


class _Progress:
    """What is known while a range's segments are cut, one after the other.

    Args:
        order: Of the night.
        items: With their numbers.
        known: Newest history of each of the range's users who has one.
    """

    def __init__(self, order: Order, items: pl.DataFrame, known: pl.DataFrame) -> None:
        self._order = order
        self._items = items
        self._known = known
        self._of_window = dict.fromkeys(order.plan.keys, known.clear())
        self._counts = dict.fromkeys(order.plan.keys, WindowCounts())

    def cut(self, segment: pl.DataFrame) -> pl.DataFrame:
        """Return the examples of one segment."""
        events = self._order.plan.assign(segment.lazy(), self._order.day_zone).collect()
        examples = []
        for window in self._order.plan.keys:
            of_window = events.filter(pl.col("window") == window).drop("window")
            cut = cut_window(of_window, self._known, self._items, window=window, features=self._order.features)
            self._known = _renew(self._known, cut.histories)
            self._of_window[window] = _renew(self._of_window[window], cut.histories)
            self._counts[window] += cut.counts
            examples.append(cut.examples)
        return pl.concat(examples)

    def histories(self) -> pl.DataFrame:
        """Return one row for each user and window in which the user was active."""
        return pl.concat(close(histories, self._order.features) for histories in self._of_window.values())

    def counts(self) -> dict[str, WindowCounts]:
        """Return what each window held; a user of several segments counts once."""
        users = {window: histories.height for window, histories in self._of_window.items()}
        return {window: replace(counts, users=users[window]) for window, counts in self._counts.items()}


def _renew(histories: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([histories.join(newer, on="user_id", how="anti"), newer])
