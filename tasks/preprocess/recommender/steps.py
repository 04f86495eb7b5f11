"""What Dask workers do for a night: read events and tables, write files that nobody sees yet."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import fsspec
import polars as pl

from data_contracts.buckets import Buckets
from data_contracts.night import Protocol
from data_contracts.recommender.state import STATE
from data_contracts.table import Part
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.cut import close, cut_window
from tasks.preprocess.recommender.items import count_by_number, number_items
from tasks.preprocess.recommender.plan import Plan, count_by_day, count_items
from tasks.preprocess.recommender.ranges import Range
from tasks.preprocess.recommender.segments import in_segments
from tasks.preprocess.recommender.state import newest_rows
from tasks.preprocess.recommender.tables import Tables, numbered
from tasks.preprocess.write import write_checked


@dataclass(frozen=True)
class Survey:
    """How a night's events are looked through, before it is planned.

    Attributes:
        folder: URI, for what is counted.
        day_zone: Zone whose days count.
        protocol: Of the night.
        by_day: Whether it is asked what each day would judge.
    """

    folder: str
    day_zone: str
    protocol: Protocol
    by_day: bool


class Surveyed(NamedTuple):
    """What is in one range of users.

    Attributes:
        buckets: Of the users.
        users: How many there are.
        counts: URI of a Parquet file: ``item_id``, ``key``, ``count``, see `count_items`.
        days: See `count_by_day`; None where nobody asked.
    """

    buckets: Buckets
    users: int
    counts: str
    days: pl.DataFrame | None


@dataclass(frozen=True)
class Order:
    """What is the same for every worker that makes tables of a night.

    Attributes:
        plan: The windows.
        tables: URI under which every table has a folder of its own.
        items: URIs of the files of table `items`.
        name: Prefix of the files' names, this night's own.
        features: How examples are cut.
        rows_per_segment: Events that are cut at once, about; see `in_segments`.
        day_zone: Zone whose days windows are cut by.
    """

    plan: Plan
    tables: str
    items: tuple[str, ...]
    name: str
    features: FeatureConfig
    rows_per_segment: int
    day_zone: str


class RangeCut(NamedTuple):
    """One range of users, cut.

    Attributes:
        parts: Files written, by table.
        counts: By window.
        newcomers: Users without a row of state before the night.
    """

    parts: dict[str, list[Part]]
    counts: dict[str, WindowCounts]
    newcomers: int


def survey_range(own: Range, survey: Survey) -> Surveyed:
    """Count a range's users, its events by item, and what each day would judge if that is asked."""
    events = own.read()
    counts = count_items(events, survey.day_zone, survey.protocol)
    counted, users = pl.collect_all([counts, events.select(pl.col("user_id").n_unique())], engine="streaming")
    uri = posixpath.join(survey.folder, f"{own.buckets.name}.parquet")
    with fsspec.open(uri, "wb", auto_mkdir=True) as file:
        counted.write_parquet(file)
    days = count_by_day(events, survey.day_zone) if survey.by_day else None
    return Surveyed(own.buckets, int(users.item()), uri, days)


def write_items(counts: Sequence[str], order: Order) -> list[Part]:
    """Write the items that had no number before this night, from the files of `survey_range`."""
    table = Tables(order.tables)
    new = number_items(_add(counts, order.plan), numbered(order.items))
    return write_checked(table.items, new, order.name, order.plan.window.last_day, order.day_zone)


def write_item_counts(counts: Sequence[str], order: Order) -> list[Part]:
    """Write how often each item was met in each window; every item has a number by now."""
    table = Tables(order.tables)
    rows = count_by_number(_add(counts, order.plan), numbered(order.items))
    return write_checked(table.item_counts, rows, order.name, order.plan.window.last_day, order.day_zone)


def _add(counts: Sequence[str], plan: Plan) -> pl.DataFrame:
    counted = plan.of_keys(pl.scan_parquet(list(counts), glob=False))
    return counted.group_by("item_id", "window").agg(pl.sum("count")).collect()


def cut_range(own: Range, order: Order, write: Sequence[str]) -> RangeCut:
    """Cut a range's events into examples and rows of state, segment after segment, and window after window in each.

    Memory holds one segment, and what is remembered of the range's users.

    Args:
        own: The range.
        order: Of the night; every item has its number by now.
        write: The tables still to be written, of `examples` and `state`.
    """
    tables = Tables(order.tables)
    events = own.read()
    whole = order.plan.protocol == "leave_one_out"  # a user's last two events are found among all of them
    segments = iter([events.collect()] if whole else in_segments(events, order.rows_per_segment))
    users = events.select("user_id").unique().collect(engine="streaming")
    known = newest_rows(own.state, users, own.buckets)
    progress = _Progress(order, numbered(order.items), known)
    name, last_day = f"{order.name}-{own.buckets.name}", order.plan.window.last_day
    parts: dict[str, list[Part]] = {table: [] for table in write}
    for segment, rows in enumerate(segments):
        examples = progress.cut(rows)
        if "examples" in write:
            part = f"{name}.{segment}" if segment else name
            parts["examples"] += write_checked(tables.examples, examples, part, last_day, order.day_zone)
    if "state" in write:
        parts["state"] += write_checked(tables.state, progress.histories(), name, last_day, order.day_zone)
    return RangeCut(parts, progress.counts(), newcomers=users.height - known.height)


class _Progress:
    """What is known while a range's segments are cut, one after the other.

    Args:
        order: Of the night.
        items: With their numbers.
        known: Newest row of each of the range's users who has one, without ``seen``.
    """

    def __init__(self, order: Order, items: pl.DataFrame, known: pl.DataFrame) -> None:
        self._order = order
        self._items = items
        self._known = known
        self._of_window = dict.fromkeys(order.plan.keys, pl.DataFrame(STATE.schema.empty_table()))
        self._counts = dict.fromkeys(order.plan.keys, WindowCounts())

    def cut(self, segment: pl.DataFrame) -> pl.DataFrame:
        """Return the examples of one segment."""
        events = self._order.plan.assign(segment.lazy(), self._order.day_zone).collect()
        examples = []
        for window in self._order.plan.keys:
            of_window = events.filter(pl.col("window") == window).drop("window")
            known, features = self._known_in(window), self._order.features
            cut = cut_window(of_window, known, self._items, window=window, features=features)
            self._known = _renew(self._known, cut.histories.drop("seen"))
            self._of_window[window] = _renew(self._of_window[window], cut.histories)
            self._counts[window] += cut.counts
            examples.append(cut.examples)
        return pl.concat(examples)

    def _known_in(self, window: str) -> pl.DataFrame:
        """Return what is known of the users, with what they met in a window so far."""
        met = self._of_window[window].select("user_id", "seen")
        if met.is_empty():
            return self._known.with_columns(seen=pl.lit(None, met.schema["seen"]))
        return self._known.join(met, on="user_id", how="left")

    def histories(self) -> pl.DataFrame:
        """Return one row for each user and window in which the user was active."""
        return pl.concat(close(histories, self._order.features) for histories in self._of_window.values())

    def counts(self) -> dict[str, WindowCounts]:
        """Return what each window held; a user of several segments counts once."""
        users = {window: histories.height for window, histories in self._of_window.items()}
        return {window: replace(counts, users=users[window]) for window, counts in self._counts.items()}


def _renew(histories: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([histories.join(newer, on="user_id", how="anti"), newer])
