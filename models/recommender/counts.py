"""How often each item was met, and how many events each user has, in the windows that a model may know."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.recommender.histories import HISTORIES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.table import Table


def item_counts(tables: TablesAt, windows: tuple[str, ...]) -> NDArray[np.int64]:
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


def frequent_users(tables: TablesAt, windows: tuple[str, ...], min_count: int) -> pl.Series:
    """Return ``user_id`` of the users with at least ``min_count`` events by the end of ``windows``."""
    histories = Table(tables.folder, HISTORIES).read(
        tables.versions[HISTORIES.name],
        columns=["user_id", "event_count"],
        where=pc.field("window").isin(windows) & (pc.field("event_count") >= min_count),
    )
    return pl.DataFrame(histories)["user_id"].unique()
