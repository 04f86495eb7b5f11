"""Number items and count them. A number never moves and is never given again."""

from __future__ import annotations

import polars as pl


def number_items(counts: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Give the next numbers to items that have none yet.

    Args:
        counts: ``item_id``, ``window``, one row for each item and window of a night.
        items: ``item_id``, ``item_index`` of every item that has a number.

    Returns:
        Rows to add to table `items`, by (first window, item_id as UTF-8 bytes): the same, whoever counted.
    """
    return (
        counts.join(items, on="item_id", how="anti")
        .group_by("item_id")
        .agg(first_window=pl.col("window").min())
        .sort("first_window", "item_id")
        .with_row_index("item_index", offset=items.height + 1)
        .select("item_id", pl.col("item_index").cast(pl.Int32), "first_window")
    )


def count_by_number(counts: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return rows of table `item_counts`.

    Args:
        counts: ``item_id``, ``window``, ``count``.
        items: ``item_id``, ``item_index`` of every item among them.
    """
    return counts.join(items, on="item_id").select("item_index", "count", "window").sort("window", "item_index")
