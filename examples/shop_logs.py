"""The made-up shop's logs: one CSV file a day, with dirt as real logs have it, and what is best reachable on them.

Dirt comes on top: broken copies of real events, and exact repeats, so that the clean events stay whole and what is
best reachable on them stays known. Names that begin with an underscore are no logs: `ingest` leaves them out.
"""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.night import Window
from examples.shop_world import World, WorldConfig
from models.recommender.metrics import rank_metrics

DIRT_SHARE = 0.003
"""Of each kind of dirt, as a share of the day's clean events."""
LONGEST_WINDOW = 7
"""Days; for each window up to this long, what is best reachable is written down."""

_BROKEN: dict[str, dict[str, pl.Expr]] = {
    "missing user": {"user_id": pl.lit(None, pl.String)},
    "missing item": {"item_id": pl.lit(None, pl.String)},
    "unknown kind": {"event": pl.lit("teleport")},
    "no number": {"value": pl.lit("NaN")},
    "no finite number": {"value": pl.lit("inf")},
    "unparseable time": {"timestamp": pl.lit("yesterday noon")},
    "far past": {"timestamp": pl.lit("1970-01-01T00:00:00Z")},
    "far future": {"timestamp": pl.lit("2099-12-31T23:59:59Z")},
    "exact repeat": {},
}
_CONFIG, _BEST = "_world.json", "_best_reachable.json"


class OtherWorldError(ValueError):
    """A folder holds the logs of another world than the one asked for."""


def config_in(folder: Path) -> WorldConfig | None:
    """Return what the logs in ``folder`` were made from; None when there are none."""
    path = folder / _CONFIG
    return WorldConfig.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def days_in(folder: Path) -> list[date]:
    """Return the days that have a file in ``folder``, in order."""
    return sorted(date.fromisoformat(path.name.removesuffix(".csv.gz")) for path in folder.glob("*.csv.gz"))


def write_days(folder: Path, config: WorldConfig, first_day: date, last_day: date) -> Iterator[tuple[Path, int]]:
    """Write the logs of some days of one world; a day that is there already is left as it is.

    Args:
        folder: Made if it is not there.
        config: The world. It is simulated from its first day in any case: a day follows from those before.
        first_day: First day written, UTC.
        last_day: Last day written, UTC.

    Yields:
        Each file written, and how many lines it has.

    Raises:
        OtherWorldError: ``folder`` holds the logs of another world.
        ValueError: The days are not in order, or lie before the world's first day.
    """
    if not config.first_day <= first_day <= last_day:
        raise ValueError(f"wanted days in order from {config.first_day} on, got {first_day} to {last_day}.")
    if (config_in(folder) or config) != config:
        raise OtherWorldError(
            f"{str(folder)!r} holds another world: {config_in(folder)!r}, wanted {config!r}. "
            "Give another --folder, or leave --seed, --users, --items and --first-day out to go on with it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _CONFIG, config.model_dump_json(indent=2).encode())
    best: dict[str, dict[str, float]] = {}
    for day, events, found in _simulate(config, max([last_day, *days_in(folder)])):
        best |= found
        path = folder / f"{day}.csv.gz"
        if first_day <= day <= last_day and not path.exists():
            lines = log_lines(events, np.random.default_rng([config.seed, day.toordinal(), 1]))
            _write(path, gzip.compress(lines.write_csv().encode(), mtime=0))
            yield path, lines.height
    _write(folder / _BEST, json.dumps(best, indent=2).encode())


def log_lines(events: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the lines of a day's log, all text: its ``events`` in order of time, copies after originals."""
    clean = events.select(
        user_id=pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(6)),
        item_id=pl.format("i{}", pl.col("item").cast(pl.String).str.zfill(5)),
        event=pl.col("event"),
        timestamp=pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        value=pl.col("value").cast(pl.String),
    ).with_row_index("row")
    each = round(len(clean) * DIRT_SHARE)
    copied = rng.choice(len(clean), (len(_BROKEN), each), replace=False)
    dirt = [clean[rows].with_columns(**breaks) for rows, breaks in zip(copied, _BROKEN.values(), strict=True)]
    lines: pl.DataFrame = pl.concat([clean, *dirt]).sort("row", maintain_order=True)
    return lines.drop("row")


def best_reachable(config: WorldConfig, window: Window) -> dict[str, float]:
    """Judge whoever knows the world's true chances on the targets of ``window``, as every model is judged.

    Repeats and a user's very first event are no targets, nothing seen is ranked, means are taken within a user and
    then over users.

    Returns:
        `hr@10` and the other metrics of `models.recommender.metrics`.
    """
    days = [events for day, events, _ in _simulate(config, window.last_day) if day >= window.first_day]
    return _judge(days)


def _simulate(config: WorldConfig, last_day: date) -> Iterator[tuple[date, pl.DataFrame, dict[str, dict[str, float]]]]:
    """Yield every day of the world, its events, and what is best reachable in each window that ends with it."""
    world = World(config)
    recent: deque[pl.DataFrame] = deque(maxlen=LONGEST_WINDOW)
    while world.day < last_day:
        recent.append(world.next_day())
        best = {}
        for length in range(1, len(recent) + 1):
            window = Window(first_day=world.day - timedelta(days=length - 1), last_day=world.day)
            best[str(window)] = _judge(list(recent)[-length:])
        yield world.day, recent[-1], best


def _judge(days: list[pl.DataFrame]) -> dict[str, float]:
    targets = pl.concat(days).drop_nulls("rank")
    return rank_metrics(targets["rank"].cast(pl.Float64).to_numpy(), targets["user"].to_numpy())


def _write(path: Path, content: bytes) -> None:
    staged = path.with_name(f".{path.name}")
    staged.write_bytes(content)
    staged.replace(path)
