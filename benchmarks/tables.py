"""Made-up logs of one window, as `preprocess` writes them: seeded walks over a catalogue with a long tail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.sizes import Sizes
from data_contracts.buckets import bucket_of
from data_contracts.contract import DataContract
from data_contracts.job import TablesAt
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.table import Table

WINDOW = "2026-11-01"
FOLLOWED = 0.5
"""Share of events that are the usual next one of the event before; the others are drawn by popularity."""


def walks(sizes: Sizes, seed: int = 0) -> NDArray[np.int32]:
    """Return item numbers from 1, (users, events): popularity falls as 1 / rank, and each item has a usual next one."""
    random = np.random.default_rng(seed)
    chance = np.cumsum(1 / np.arange(1, sizes.items + 1))
    drawn = np.searchsorted(chance, random.random((sizes.users, sizes.events)) * chance[-1])
    follows = random.random(drawn.shape) < FOLLOWED
    following = random.permutation(sizes.items)
    for event in range(1, sizes.events):
        drawn[:, event] = np.where(follows[:, event], following[drawn[:, event - 1]], drawn[:, event])
    return np.asarray(drawn + 1, np.int32)


def made_up(sizes: Sizes, seed: int = 0) -> NDArray[np.int32]:
    """Return `walks` among the items that anybody met: the others have no number."""
    walked = walks(sizes, seed)
    _, number = np.unique(walked, return_inverse=True)
    return np.asarray(number.reshape(walked.shape) + 1, np.int32)


def write_tables(folder: Path, item_UE: NDArray[np.int32]) -> TablesAt:
    """Write `items`, `item_counts` and `examples`, one example a user."""
    number_N, count_N = np.unique(item_UE, return_counts=True)
    window = pa.array([WINDOW] * len(number_N))
    names = pa.array([f"item-{number}" for number in number_N])
    rows = {
        ITEMS: pa.table({"item_id": names, "item_index": number_N, "first_window": window}),
        ITEM_COUNTS: pa.table({"item_index": number_N, "count": count_N, "window": window}),
        EXAMPLES: _examples(item_UE),
    }
    return TablesAt(
        folder=str(folder), versions={contract.name: _write(folder, contract, rows[contract]) for contract in rows}
    )


def _examples(item_UE: NDArray[np.int32]) -> pa.Table:
    """Make up times, too; no two of a user are one, as `benchmarks.bare` lays batches out once."""
    users, events = item_UE.shape
    minute_UE = np.random.default_rng(users).integers(1, 1_000, (users, events)).cumsum(axis=1)
    microsecond_UE = minute_UE * 60_000_000
    columns = {
        "user_id": pa.array([f"user-{user:06}" for user in range(users)]),
        **_beside("context", item_UE[:, :1], microsecond_UE[:, :1]),
        **_beside("target", item_UE[:, 1:], microsecond_UE[:, 1:]),
        "window": pa.array([WINDOW] * users),
    }
    bucket = bucket_of("user_id")
    hashed = pl.DataFrame({"user_id": pl.Series(columns["user_id"])}).select(bucket).to_series().to_arrow()
    return pa.table({**columns, "bucket": hashed})


def _beside(name: str, item_UE: NDArray[np.int32], microsecond_UE: NDArray[np.int64]) -> dict[str, pa.ListArray]:
    """Return the items of some events, and their kinds and times beside them."""
    users = len(item_UE)
    return {
        name: _lists(pa.array(item_UE.ravel()), users),
        f"{name}_event": _lists(pa.array(["view"] * item_UE.size), users),
        f"{name}_timestamp": _lists(pa.array(microsecond_UE.ravel(), pa.timestamp("us", "UTC")), users),
    }


def _lists(values: pa.Array, count: int) -> pa.ListArray:
    """Cut into ``count`` lists of equal length."""
    return pa.ListArray.from_arrays(np.linspace(0, len(values), count + 1).astype(np.int32), values)


def _write(folder: Path, contract: DataContract, rows: pa.Table) -> int:
    table = Table(str(folder), contract)
    return table.commit(table.write(rows, "rows"), consumed=["made up"])
