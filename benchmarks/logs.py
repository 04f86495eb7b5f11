"""Logs to count on: MovieLens-100K and Amazon musical instruments where they lie, and the made-up shop."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.counted import Log
from examples.shop_world import World, WorldConfig


def movielens(folder: Path) -> Log:
    """Read ``ml-100k.inter``."""
    rows = pl.read_csv(folder / "ml-100k.inter", separator="\t", infer_schema=False)
    return _log(rows, "user_id:token", "item_id:token", "timestamp:float", "rating")


def instruments(folder: Path) -> Log:
    """Read ``musical_instruments_5core.jsonl``."""
    rows = pl.read_ndjson(folder / "musical_instruments_5core.jsonl")
    return _log(rows, "reviewerID", "asin", "unixReviewTime", "review")


def shop(days: int) -> Log:
    """Make up some days of the shop."""
    world = World(WorldConfig())
    events = pl.concat([world.next_day() for _ in range(days)])
    return Log.of(events.select(pl.col("user", "item").cast(pl.String).name.suffix("_id"), "event", "timestamp"))


def _log(rows: pl.DataFrame, user: str, item: str, seconds: str, event: str) -> Log:
    timestamp = pl.from_epoch(pl.col(seconds).cast(pl.Float64).cast(pl.Int64), "s").dt.cast_time_unit("us")
    ids = {"user_id": pl.col(user).cast(pl.String), "item_id": pl.col(item).cast(pl.String)}
    return Log.of(rows.select(**ids, event=pl.lit(event), timestamp=timestamp.dt.replace_time_zone("UTC")))
