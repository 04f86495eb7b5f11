"""Table `state` by ranges of users: each user's newest row found, and rows put in the place of those overtaken."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl
from distributed import Client

from data_contracts.buckets import Buckets, among, buckets_of, parted
from data_contracts.reading import scan
from data_contracts.recommender.state import STATE, merged
from data_contracts.table import Part, Table
from tasks.cluster import on_workers
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.tables import USERS, Tables

logger = logging.getLogger(__name__)

OVERTAKEN = 1
"""Rows that newer ones of their users have overtaken, for each that none has, before one takes the place of all."""
FILES = 32
"""Files of the table beyond those that it needs, before fewer take their place."""

BEFORE = replace(STATE, name="histories", partition_by="window")
"""The table as older code wrote it: rows of every window, for ever."""


class Rewrite(NamedTuple):
    """One file of the table that is to be written anew.

    Attributes:
        buckets: Of its users.
        files: With their rows, by URI.
        name: Of the file, without ending.
    """

    buckets: Buckets
    files: tuple[str, ...]
    name: str


def newest_rows(files: Sequence[str], users: pl.DataFrame, buckets: Buckets) -> pl.DataFrame:
    """Return the newest row of each of ``users`` who has one, without ``seen``.

    Args:
        files: Of table `state`, those that may have rows of the users.
        users: ``user_id``, each once.
        buckets: Of the users: others are not read.
    """
    if not files:
        return pl.DataFrame(STATE.schema.empty_table()).drop("seen")
    rows = scan(files, STATE).filter(buckets.rows(pl.col("bucket"))).drop("seen")
    ids = rows.select("user_id", "window").join(users.lazy(), on="user_id", how="semi")
    last = ids.group_by("user_id").agg(pl.max("window")).collect(engine="streaming")
    return rows.join(last.lazy(), on=["user_id", "window"], how="semi").collect(engine="streaming")


def rewrite_state(client: Client, tables: Tables, features: FeatureConfig, most: int) -> None:
    """Put one row a user in the place of all, when that is due; of a table of older code, once.

    What it costs is spread over nights: then there are as many overtaken rows as others, or many files.

    Args:
        client: Of the Dask cluster.
        tables: Of the workspace; no night is under way but for this.
        features: How much is remembered of a user.
        most: Events that a worker is to hold, about.
    """
    state, events = tables.state, tables.events.contract.name
    before = Table(tables.folder, BEFORE) if state.version() is None else None
    files = (before or state).file_rows()
    todo = rewrites(files, features.max_length, most, f"rewritten-{state.next_version():06}")
    if not files or (before is None and not is_due(files, tables.users(), len(todo))):
        return
    done = on_workers(client, partial(_rewrite, table=state, max_seen=features.max_seen), todo)
    parts, users = [part for own, _ in done for part in own], sum(count for _, count in done)
    if before is None:
        state.replace(files, parts)
    else:
        state.replace([], parts, marks={events: before.mark(events) or 0, USERS: users})
    logger.info(
        "state: %s rows in %s files are now %s, one a user", f"{sum(files.values()):,}", len(files), f"{users:,}"
    )


def is_due(files: Mapping[str, int], users: int, needed: int) -> bool:
    """Whether one row a user is to take the place of all.

    Args:
        files: Of the table, with their rows.
        users: That have a row.
        needed: Files that the users need.
    """
    return sum(files.values()) > (1 + OVERTAKEN) * users or len(files) > needed + FILES


def rewrites(files: Mapping[str, int], length: int, most: int, name: str) -> list[Rewrite]:
    """Part the users of all files into ranges, each of which becomes one file.

    Args:
        files: With their rows.
        length: Events that a row holds, at most.
        most: Events that a worker is to hold, about.
        name: How the files' names begin.
    """
    weights = Counter[Buckets]()
    for file, rows in files.items():
        weights[buckets_of(file)] += rows * length
    found = ((each, among(files, each)) for each in parted(weights, most))
    return [Rewrite(each, tuple(own), f"{name}-{each.name}") for each, own in found if own]


def _rewrite(order: Rewrite, table: Table, max_seen: int) -> tuple[list[Part], int]:
    """Write one row for each user of a range to a file that nobody sees yet, and return how many users that is.

    Args:
        order: Which rows; those of older code are of table `BEFORE`.
        table: `state`.
        max_seen: Distinct items that are remembered of a user.
    """
    rows = pl.concat(_scan(window, list(own)) for window, own in groupby(sorted(order.files), _window_of))
    found = merged(rows.filter(order.buckets.rows(pl.col("bucket"))), max_seen).sort("bucket", "user_id").collect()
    if found.is_empty():
        return [], 0
    return table.write(found.to_arrow(compat_level=pl.CompatLevel.oldest()), order.name), found.height


def _window_of(file: str) -> str:
    """Return the window that the folder of a file says, where older code wrote it; empty elsewhere."""
    return unquote(file.rsplit("/", 2)[-2].partition("=")[2])


def _scan(window: str, files: list[str]) -> pl.LazyFrame:
    if not window:
        return scan(files, STATE)
    return scan(files, BEFORE).with_columns(window=pl.lit(window)).select(STATE.schema.names)
