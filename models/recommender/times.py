"""When what stands in an example was met."""

from __future__ import annotations

import polars as pl


def times() -> pl.Expr:
    """Return the times of context and target, one list a row.

    A context of unknown times, of before version 2 of `examples`, counts as met with its first target.
    """
    target = pl.col("target_timestamp")
    at_once = target.list.first().repeat_by(pl.col("context").list.len())
    return pl.concat_list(pl.coalesce("context_timestamp", at_once), target)
