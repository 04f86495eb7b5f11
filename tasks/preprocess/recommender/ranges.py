"""What Dask workers do for a night: read staging and tables, write files that nobody sees yet."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import fsspec
import polars as pl

from data_contracts.table import Part
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.cut import cut_window
from tasks.preprocess.recommender.histories import newest_histories
from tasks.preprocess.recommender.items import count_by_number, in_byte_order, number_items
from tasks.preprocess.recommender.plan import Plan, count_by_day
from tasks.preprocess.recommender.spread import Spread
from tasks.preprocess.recommender.tables import Tables
from tasks.preprocess.recommender.write import write_checked


@dataclass(frozen=True)
class Order:
    """What is the same for every worker of a night.

    Attributes:
        spread: The night's new events, by range of users.
        plan: Their windows.
        tables: URI under which every table has a folder of its own.
        name: Prefix of the files' names, this night's own.
        features: How examples are cut.
    """

    spread: Spread
    plan: Plan
    tables: str
    name: str
    features: FeatureConfig


class RangeCut(NamedTuple):
    """One range of users, cut: files written, by table, and counts by window."""

    parts: dict[str, list[Part]]
    counts: dict[str, WindowCounts]


def survey_range(number: int, spread: Spread) -> pl.DataFrame:
    """Count a range's targets and users by day."""
    return count_by_day(spread.read(number))


def count_range(number: int, order: Order) -> str:
    """Count a range's events into a Parquet file of ``item_id``, ``window``, ``count``, and return its URI."""
    events = order.plan.assign(order.spread.read(number).collect())
    uri = posixpath.join(order.spread.folder, "counts", f"{number:05}.parquet")
    with fsspec.open(uri, "wb", auto_mkdir=True) as file:
        events.group_by("item_id", "window").agg(count=pl.len().cast(pl.Int64)).write_parquet(file)
    return uri


def write_items(counts: Sequence[str], order: Order) -> list[Part]:
    """Write the items that had no number before this night, from the files of `count_range`."""
    table = Tables(order.tables)
    new = number_items(_add(counts), table.numbered())
    return write_checked(table.items, new, order.name, order.plan.window.last_day)


def write_item_counts(counts: Sequence[str], order: Order) -> list[Part]:
    """Write how often each item was met in each window; every item has a number by now."""
    table = Tables(order.tables)
    rows = count_by_number(_add(counts), table.numbered())
    return write_checked(table.item_counts, rows, order.name, order.plan.window.last_day)


def _add(counts: Sequence[str]) -> pl.DataFrame:
    return pl.scan_parquet(list(counts)).group_by("item_id", "window").agg(pl.sum("count")).collect()


def cut_range(number: int, order: Order, versions: Mapping[str, int | None], write: Sequence[str]) -> RangeCut:
    """Cut a range's events into examples and histories, window after window.

    Args:
        number: Of the range.
        order: Of the night.
        versions: Of table `items`, where every item of the night has its number, and of `histories`, before the night.
        write: The tables still to be written, of `examples` and `histories`.
    """
    tables = Tables(order.tables)
    events = order.plan.assign(order.spread.read(number).collect())
    items = in_byte_order(tables.numbered(versions["items"]))
    users = events.select("user_id").unique()
    histories = newest_histories(tables.histories, versions["histories"], users, order.spread.buckets(number))
    rows: dict[str, list[pl.DataFrame]] = {"examples": [], "histories": []}
    counts: dict[str, WindowCounts] = {}
    for window in order.plan.keys:
        of_window = events.filter(pl.col("window") == window).drop("window")
        cut = cut_window(of_window, histories, items, window=window, features=order.features)
        histories = pl.concat([histories.join(cut.histories, on="user_id", how="anti"), cut.histories])
        rows["examples"].append(cut.examples)
        rows["histories"].append(cut.histories)
        targets = int(cut.examples["target"].list.len().sum())
        counts[window] = WindowCounts(of_window.height, cut.histories.height, targets, cut.firsts)
    name = f"{order.name}-{number:04}-of-{order.spread.ranges:04}"
    through = order.plan.window.last_day
    targets_of = {"examples": tables.examples, "histories": tables.histories}
    parts = {table: write_checked(targets_of[table], pl.concat(rows[table]), name, through) for table in write}
    return RangeCut(parts, counts)
