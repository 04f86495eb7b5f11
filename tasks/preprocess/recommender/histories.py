"""Find each user's newest history."""

from __future__ import annotations

from itertools import groupby

import polars as pl

from data_contracts.buckets import Buckets, among
from data_contracts.reading import scan
from data_contracts.recommender.histories import HISTORIES
from data_contracts.table import Table


def newest_histories(table: Table, version: int | None, users: pl.DataFrame, buckets: Buckets) -> pl.DataFrame:
    """Return the newest row of each of ``users`` who has one.

    The ids alone are read first: most rows are older than their user's newest, and the lists are what is large. Of each
    night gone by only the files are opened that may hold one of ``buckets``: of as many ranges, one or two.

    Args:
        table: `histories`.
        version: Of the table; nobody has a history when None.
        users: ``user_id``, each once.
        buckets: Of the users: others are not read.
    """
    none = pl.DataFrame(table.contract.schema.empty_table())
    files = [] if version is None else among(table.file_rows(version), buckets)
    if not files:
        return none
    windows = {window: _read(list(own), window, buckets) for window, own in groupby(files, table.partition_of)}
    newest = (
        pl.concat(rows.select("user_id", "window") for rows in windows.values())
        .join(users.lazy(), on="user_id", how="semi")
        .group_by("user_id")
        .agg(pl.max("window"))
        .collect(engine="streaming")
    )
    found = [
        windows[str(window)].filter(pl.col("user_id").is_in(own["user_id"].implode())).select(none.columns)
        for (window,), own in newest.group_by("window")
    ]
    return pl.concat([none.lazy(), *found]).collect(engine="streaming")


def _read(files: list[str], window: str, buckets: Buckets) -> pl.LazyFrame:
    """Read one window's rows of some buckets."""
    rows = scan(files, HISTORIES).with_columns(window=pl.lit(window))
    return rows.filter(buckets.rows(pl.col("bucket")))
