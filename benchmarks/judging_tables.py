"""What ``make bench-judging`` judges: ``python -m benchmarks.judging_tables FOLDER``, a program, so its memory is gone.

A catalogue of a million items, all servable, a window that everybody knows, and windows of the same next day: one of
many users, others of the first few of them. The contestant has fresh weights: it costs what a good one costs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.sizes import Sizes, quick
from benchmarks.tables import walks
from data_contracts.buckets import bucket_of
from data_contracts.contract import DataContract
from data_contracts.job import Config, EvaluateJob, TablesAt, Validation, commit
from data_contracts.manifest import seal
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.weights import Weights, new_network, save

SIZES = Sizes(
    users=20_000, events=55, items=1_000_000, length=50, width=64, blocks=2, batch=1, negatives=1
)  # fmt: skip
"""Of both days' logs."""
TARGETS = 5
"""Events of each user on the day that is judged."""
MANY, FEW, FEWEST = 2_300, 160, 32
"""Users who are there on that day."""
KNOWN, JUDGED = date(2026, 11, 1), date(2026, 11, 2)
KIND = "view"
CONTESTANT = "network"


def write(folder: Path, sizes: Sizes, users: tuple[int, ...]) -> None:
    """Write tables, weights, and ``<users>/job.json`` for each number of users that is judged."""
    item_UE = walks(sizes)
    tables = _write_tables(folder / "tables", item_UE, sizes, users)
    config = RecommenderConfig(network=NetworkConfig(width=sizes.width, blocks=sizes.blocks))
    features: Config = {"max_length": sizes.length}
    torch.manual_seed(0)
    save(Weights(new_network(sizes.items, config, features), config, features), folder / CONTESTANT)
    seal(folder / CONTESTANT)
    for count in users:
        (folder / str(count)).mkdir()
        job = EvaluateJob(
            use_case="recommender",
            tables=tables,
            window=_window(count),
            first_day=JUDGED,
            known_windows=(KNOWN.isoformat(),),
            validation=Validation(window="none"),
            contestants={CONTESTANT: str(folder / CONTESTANT)},
            config={},  # defaults, whatever they are called
            features=features,
            work_folder=str(folder / str(count)),
        )
        commit(job, folder / str(count) / "job.json")


def _window(users: int) -> str:
    return f"{JUDGED.isoformat()}, {users} users"


def _write_tables(folder: Path, item_UE: NDArray[np.int32], sizes: Sizes, users: tuple[int, ...]) -> TablesAt:
    number = np.arange(1, sizes.items + 1, dtype=np.int32)
    count = 1 + np.bincount(item_UE[:, :-TARGETS].ravel(), minlength=sizes.items + 1)[1:]
    known = pl.lit(KNOWN.isoformat())
    numbers = pl.DataFrame({"item_index": number, "count": count})
    before = _by_user(item_UE[:, :-TARGETS], KNOWN)
    rows = {
        ITEMS: numbers.select(pl.format("item-{}", "item_index").alias("item_id"), "item_index", first_window=known),
        ITEM_COUNTS: numbers.with_columns(window=known),
        EVENTS: _events(before),
        STATE: _histories(before, sizes.length),
        EXAMPLES: pl.concat([_known(before), *(_judged(item_UE[:some], _window(some), sizes) for some in users)]),
    }
    return TablesAt(
        folder=str(folder), versions={contract.name: _write(folder, contract, rows[contract]) for contract in rows}
    )


def _by_user(item_UE: NDArray[np.int32], day: date) -> pl.DataFrame:
    """Return ``user_id``, ``bucket``, ``items``, ``kinds`` and ``timestamps``, one row a user, a minute an event."""
    users, events = item_UE.shape
    start = datetime.combine(day, datetime.min.time())
    minutes = pl.Series([start + timedelta(minutes=minute) for minute in range(events)]).dt.replace_time_zone("UTC")
    names = pl.DataFrame(
        {"user_id": [f"user-{user:06}" for user in range(users)], "items": pl.Series(item_UE).arr.to_list()}
    )
    return names.with_columns(
        bucket_of("user_id").alias("bucket"),
        kinds=pl.lit(pl.Series([[KIND] * events])).first(),
        timestamps=pl.lit(pl.Series([minutes])).first(),
    )


def _events(before: pl.DataFrame) -> pl.DataFrame:
    rows = before.select("user_id", "items", "timestamps").explode("items", "timestamps")
    return rows.select(
        "user_id",
        pl.format("item-{}", "items").alias("item_id"),
        pl.col("timestamps").alias("timestamp"),
        event=pl.lit(KIND),
        value=pl.lit(None, pl.Float32),
        day=pl.lit(KNOWN),
    )


def _histories(before: pl.DataFrame, length: int) -> pl.DataFrame:
    lists = pl.col("items", "kinds", "timestamps").list.tail(length)
    return before.select(
        "user_id",
        "bucket",
        lists,
        seen=pl.col("items").list.unique(maintain_order=True),
        event_count=pl.col("items").list.len().cast(pl.Int64),
        window=pl.lit(KNOWN.isoformat()),
    )


def _known(before: pl.DataFrame) -> pl.DataFrame:
    return _examples(before, context=1).with_columns(window=pl.lit(KNOWN.isoformat()))


def _judged(item_UE: NDArray[np.int32], window: str, sizes: Sizes) -> pl.DataFrame:
    of_day = _by_user(item_UE[:, -sizes.length - 1 :], JUDGED)
    return _examples(of_day, context=sizes.length + 1 - TARGETS).with_columns(window=pl.lit(window))


def _examples(by_user: pl.DataFrame, context: int) -> pl.DataFrame:
    return by_user.select(
        "user_id",
        "bucket",
        context=pl.col("items").list.head(context),
        target=pl.col("items").list.slice(context),
        target_event=pl.col("kinds").list.slice(context),
        target_timestamp=pl.col("timestamps").list.slice(context),
    )


def _write(folder: Path, contract: DataContract, rows: pl.DataFrame) -> int:
    table = Table(str(folder), contract)
    return table.commit(table.write(rows.select(contract.schema.names).to_arrow(), "rows"), consumed=["made up"])


def main() -> None:
    """Make them up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging_tables", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    given = parser.parse_args()
    few = (FEWEST // 8, FEW // 8, FEW // 4)
    if given.quick:
        write(given.folder, replace(quick(SIZES), users=FEW, events=33, length=28), few)
    else:
        write(given.folder, SIZES, (FEWEST, FEW, MANY))


if __name__ == "__main__":
    main()
