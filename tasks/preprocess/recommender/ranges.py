"""What Dask workers do with one range of users: read staging and tables, write files that nobody sees yet."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import fsspec
import polars as pl

from data_contracts.table import Part
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.cut import cut_window
from tasks.preprocess.recommender.histories import newest_histories
from tasks.preprocess.recommender.items import in_byte_order
from tasks.preprocess.recommender.plan import Plan, count_by_day
from tasks.preprocess.recommender.spread import Spread
from tasks.preprocess.recommender.tables import Tables


@dataclass(frozen=True)
class Cutting:
    """What is the same for every range of a night.

    Attributes:
        tables: URI under which every table has a folder of its own.
        items: Version of table `items` that knows every item of the night.
        histories: Version of table `histories` before the night; None when there is none.
        write: Names of the tables still to be written, of `examples` and `histories`.
        name: Prefix of the files' names, this night's own.
    """

    tables: str
    items: int
    histories: int | None
    write: tuple[str, ...]
    name: str
    features: FeatureConfig


class RangeCut(NamedTuple):
    """One range, cut: files written, by table, and counts by window."""

    parts: dict[str, list[Part]]
    counts: dict[str, WindowCounts]


def survey_range(number: int, spread: Spread) -> pl.DataFrame:
    """Count the range's targets and users by day."""
    return count_by_day(spread.read(number))


def count_range(number: int, spread: Spread, plan: Plan) -> str:
    """Count the range's events into a Parquet file of ``item_id``, ``window``, ``count``, and return its URI."""
    events = plan.assign(spread.read(number).collect())
    uri = posixpath.join(spread.folder, "counts", f"{number:05}.parquet")
    with fsspec.open(uri, "wb", auto_mkdir=True) as file:
        events.group_by("item_id", "window").agg(count=pl.len().cast(pl.Int64)).write_parquet(file)
    return uri


def cut_range(number: int, spread: Spread, plan: Plan, cutting: Cutting) -> RangeCut:
    """Cut the range's events into examples and histories, window after window, and write both."""
    tables = Tables(cutting.tables)
    events = plan.assign(spread.read(number).collect())
    items = in_byte_order(tables.numbered(cutting.items))
    users = events.select("user_id").unique()
    histories = newest_histories(tables.histories, cutting.histories, users, spread.buckets(number))
    rows: dict[str, list[pl.DataFrame]] = {"examples": [], "histories": []}
    counts: dict[str, WindowCounts] = {}
    for window in plan.keys:
        of_window = events.filter(pl.col("window") == window).drop("window")
        cut = cut_window(of_window, histories, items, window=window, features=cutting.features)
        histories = pl.concat([histories.join(cut.histories, on="user_id", how="anti"), cut.histories])
        rows["examples"].append(cut.examples)
        rows["histories"].append(cut.histories)
        targets = int(cut.examples["target"].list.len().sum())
        counts[window] = WindowCounts(of_window.height, cut.histories.height, targets, cut.firsts)
    name = f"{cutting.name}-{number:04}-of-{spread.ranges:04}"
    parts = {table: _write(tables, table, rows[table], name) for table in cutting.write}
    return RangeCut(parts, counts)


def _write(tables: Tables, table: str, rows: Sequence[pl.DataFrame], name: str) -> list[Part]:
    target = {"examples": tables.examples, "histories": tables.histories}[table]
    return target.write(pl.concat(rows).to_arrow(), name)
