"""Made-up logs of any size: daily Parquet files, string ids, items that everybody meets, users who do most of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
EVENTS_PER_USER, EVENTS_PER_ITEM = 60, 400
"""On average."""
_DAY_US = 86_400_000_000


def write_logs(folder: Path, events: int, *, days: int = DAYS, seed: int = 0) -> None:
    """Write ``events`` rows over ``days`` files: ``user_id``, ``item_id``, ``event``, ``timestamp``.

    Items follow Zipf's law; what users do follows Pareto's, with exponent 1.2. The same arguments, the same rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users, items = events // EVENTS_PER_USER + 1, events // EVENTS_PER_ITEM + 1
    rng = np.random.default_rng(seed)
    user_share, item_share = _shares(rng.pareto(1.2, users) + 0.1), _shares(1 / np.arange(1, items + 1))
    for day in range(days):
        rows = events * (day + 1) // days - events * day // days
        frame = pl.DataFrame(
            {
                "user": np.searchsorted(user_share, rng.random(rows)),
                "item": np.searchsorted(item_share, rng.random(rows)),
                "kind": rng.random(rows),
                "us": np.sort(rng.integers(0, _DAY_US, rows)),
            }
        )
        start = START + timedelta(days=day)
        frame.select(
            user_id=pl.format("user-{}", "user"),
            item_id=pl.format("item-{}", "item"),
            event=pl.when(pl.col("kind") < 0.9).then(pl.lit("view")).otherwise(pl.lit("buy")),  # noqa: PLR2004
            timestamp=(pl.lit(start) + pl.duration(microseconds="us")).cast(pl.Datetime("us", "UTC")),
        ).write_parquet(folder / f"{start:%Y-%m-%d}.parquet")


def _shares(weights: np.ndarray) -> np.ndarray:
    """Return the share of all weight up to each; the last is 1."""
    total: np.ndarray = np.cumsum(weights)
    shares: np.ndarray = total / total[-1]
    return shares
