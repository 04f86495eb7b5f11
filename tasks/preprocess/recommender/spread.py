"""Spread a night's new events over ranges of users, through Parquet in staging; every event of a user in one range."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl
import polars_hash as plh
from distributed import Client

from data_contracts.reading import scan
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.histories import BUCKETS
from data_contracts.staging import clear
from tasks.preprocess.truth import group_files

ROWS_PER_TASK = 1_000_000
"""Events, new and remembered, that one Dask task holds in memory."""

_RANGE = re.compile(r"(\d+)-of-(\d+)\.parquet$")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spread:
    """New events in staging, by range of buckets.

    Attributes:
        folder: URI; events lie in ``events/<group>/range=<number>/``, counts in ``counts/``.
        ranges: Number of ranges; range r holds the buckets with ``bucket * ranges // BUCKETS == r``.
        rows: Events that were read, to be found again in the ranges.
    """

    folder: str
    ranges: int
    rows: int

    def buckets(self, number: int) -> tuple[int, int]:
        """Return the first bucket of range ``number`` and the first one after it."""
        return _buckets(number, self.ranges)

    def name(self, number: int) -> str:
        """Return the name of range ``number``; `may_hold` knows a file by it whose name ends so."""
        return f"{number:04}-of-{self.ranges:04}"

    def read(self, number: int) -> pl.LazyFrame:
        """Return range ``number``: ``user_id``, ``bucket``, ``item_id``, ``event``, ``timestamp``, in no order."""
        folder = posixpath.join(self.folder, "events")
        events = pl.scan_parquet(folder, glob=False, hive_partitioning=True, hive_schema={"range": pl.Int32})
        return events.filter(pl.col("range") == number).drop("range")


@contextmanager
def spread_by_user(
    client: Client, files: Mapping[str, int], folder: str, ranges: int, *, rows_per_task: int = ROWS_PER_TASK
) -> Iterator[Spread]:
    """Read files of table `events` and write their rows by range of users, removed in the end.

    Args:
        client: Of the Dask cluster.
        files: URI to its number of rows.
        folder: URI of a folder that is this night's own; what a crash left there is removed first.
        ranges: Number of ranges.
        rows_per_task: Rows that one task spreads, of several files.
    """
    clear(folder)
    try:
        groups = group_files(files, rows_per_task)
        targets = [posixpath.join(folder, "events", f"group-{number:05}") for number in range(len(groups))]
        client.gather(client.map(_spread_group, groups, targets, ranges=ranges, pure=False))
        rows = sum(files.values())
        logger.info("%s events from %s files are spread over %s ranges of users", f"{rows:,}", len(files), ranges)
        yield Spread(folder, ranges, rows)
    finally:
        clear(folder)


def may_hold(file: str, buckets: tuple[int, int]) -> bool:
    """Whether ``file``, of any night, may hold rows of ``buckets``, the first one and the first one after them.

    True for a file that is not named after a range, as one is that was compacted by hand.
    """
    found = _RANGE.search(file)
    first, end = _buckets(int(found[1]), int(found[2])) if found else (0, BUCKETS)
    return first < buckets[1] and buckets[0] < end


def count_users(files: Sequence[str]) -> int:
    """Return about how many users, give or take a tenth, have events in ``files``; memory holds a block of ids."""
    users = scan(files, EVENTS).select(pl.col("user_id").approx_n_unique())
    return int(users.collect(engine="streaming").item())


def _buckets(number: int, ranges: int) -> tuple[int, int]:
    return -(-number * BUCKETS // ranges), -(-(number + 1) * BUCKETS // ranges)


def bucket_of(column: str) -> pl.Expr:
    """Return the bucket of the user in ``column``: xxhash64 of the UTF-8 bytes, modulo `BUCKETS`, int32."""
    bucket: pl.Expr = (plh.col(column).nchash.xxhash64() % BUCKETS).cast(pl.Int32)
    return bucket


def _spread_group(files: list[str], folder: str, ranges: int) -> None:
    clear(folder)  # of what a lost worker left of it
    rows = scan(files, EVENTS)
    bucket = bucket_of("user_id")
    rows = rows.select("user_id", "item_id", "event", "timestamp", bucket=bucket, range=bucket * ranges // BUCKETS)
    rows.sink_parquet(pl.PartitionBy(folder, key="range", include_key=False), mkdir=True)
