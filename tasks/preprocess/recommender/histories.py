"""Find each user's newest history."""

from __future__ import annotations

import polars as pl

from data_contracts.table import Table
from tasks.preprocess.recommender.spread import may_hold


def newest_histories(table: Table, version: int | None, users: pl.DataFrame, buckets: tuple[int, int]) -> pl.DataFrame:
    """Return the newest row of each of ``users`` who has one.

    The ids alone are read first: most rows are older than their user's newest, and the lists are what is large. Of each
    night gone by only the files are opened that may hold one of ``buckets``: of as many ranges, one or two.

    Args:
        table: `histories`.
        version: Of the table; nobody has a history when None.
        users: ``user_id``, each once.
        buckets: The first bucket that may hold one of them, and the first one after it: others are not read.
    """
    none = pl.DataFrame(table.contract.schema.empty_table())
    files = [] if version is None else sorted(file for file in table.file_rows(version) if may_hold(file, buckets))
    if not files:
        return none
    low, high = buckets
    rows = pl.scan_parquet(files, hive_schema={"window": pl.String})
    rows = rows.filter(pl.col("bucket").is_between(low, high - 1)).select(none.columns)
    newest = (
        rows.select("user_id", "window")
        .join(users.lazy(), on="user_id", how="semi")
        .group_by("user_id")
        .agg(pl.max("window"))
        .collect(engine="streaming")
    )
    found = [
        rows.filter(pl.col("window") == window, pl.col("user_id").is_in(of_window["user_id"].implode()))
        for (window,), of_window in newest.group_by("window")
    ]
    return pl.concat([none.lazy(), *found]).collect(engine="streaming")
