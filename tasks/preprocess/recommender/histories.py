"""Find each user's newest history."""

from __future__ import annotations

import polars as pl
import pyarrow.dataset as ds

from data_contracts.table import Table


def newest_histories(table: Table, version: int | None, users: pl.DataFrame, buckets: tuple[int, int]) -> pl.DataFrame:
    """Return the newest row of each of ``users`` who has one, walking back window by window until all are found.

    Args:
        table: `histories`.
        version: Of the table; nobody has a history when None.
        users: ``user_id``, each once.
        buckets: The first bucket that may hold one of them, and the first one after it: other files are not opened.
    """
    empty = pl.DataFrame(table.contract.schema.empty_table())
    found = [empty]
    if version is None:
        return empty
    dataset = table.dataset(version)
    low, high = buckets
    in_range = (ds.field("bucket") >= low) & (ds.field("bucket") < high)
    wanted = users.select("user_id")
    for window in reversed(table.partitions(version)):
        rows = pl.DataFrame(dataset.to_table(filter=in_range & (ds.field("window") == window)))
        found.append(rows.join(wanted, on="user_id", how="semi").select(empty.columns))
        wanted = wanted.join(rows, on="user_id", how="anti")
        if wanted.is_empty():
            break
    return pl.concat(found)
