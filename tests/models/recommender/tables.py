"""Tables written as `preprocess` promises them, straight from sequences: small and plain, for judging only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import polars_hash as plh
import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.job import TablesAt
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.histories import BUCKETS, HISTORIES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.table import Table

Events = Sequence[int | tuple[int, str]]
"""Item numbers, or item number and kind; a lone number is a view."""

START = datetime(2026, 11, 1, tzinfo=UTC)


def write_tables(folder: Path, windows: Mapping[str, Mapping[str, Events]], *, max_length: int = 4) -> TablesAt:
    """Write `items`, `item_counts`, `examples` and `histories` of ``windows``: key to user to events in order."""
    so_far: dict[str, list[tuple[int, str]]] = {}
    first_window: dict[int, str] = {}
    counts: list[dict[str, object]] = []
    examples: list[dict[str, object]] = []
    histories: list[dict[str, object]] = []
    for window, users in windows.items():
        for user, events in users.items():
            new = [event if isinstance(event, tuple) else (event, "view") for event in events]
            before = so_far.get(user, [])
            so_far[user] = before + new
            examples += [row | {"user_id": user, "window": window} for row in _cut(before, new, max_length)]
            histories.append({"user_id": user, "window": window, **_history(so_far[user], max_length)})
        met = Counter(item for user in users for item, _ in so_far[user][-len(users[user]) :])
        counts += [{"item_index": item, "count": count, "window": window} for item, count in sorted(met.items())]
        for item in sorted(set(met) - set(first_window)):
            first_window[item] = window
    items = [{"item_id": f"item-{item}", "item_index": item, "first_window": key} for item, key in first_window.items()]
    rows = {ITEMS: items, ITEM_COUNTS: counts, EXAMPLES: examples, HISTORIES: histories}
    return TablesAt(
        folder=str(folder), versions={contract.name: _write(folder, contract, rows[contract]) for contract in rows}
    )


def _cut(before: list[tuple[int, str]], new: list[tuple[int, str]], max_length: int) -> list[dict[str, object]]:
    events, position, rows = before + new, max(len(before), 1), []
    while position < len(events):
        size = min(len(events) - position, max_length + 1 - min(position, max_length // 2))
        context = events[max(0, position - (max_length + 1 - size)) : position]
        target = events[position : position + size]
        rows.append(
            {
                "context": [item for item, _ in context],
                "target": [item for item, _ in target],
                "target_event": [kind for _, kind in target],
                "target_timestamp": [START + timedelta(minutes=position + step) for step in range(size)],
            }
        )
        position += size
    return rows


def _history(events: list[tuple[int, str]], max_length: int) -> dict[str, object]:
    seen = list(dict.fromkeys(item for item, _ in reversed(events)))[::-1]
    last = events[-max_length:]
    return {
        "items": [item for item, _ in last],
        "kinds": [kind for _, kind in last],
        "timestamps": [START] * len(last),
        "seen": seen,
        "event_count": len(events),
    }


def _write(folder: Path, contract: DataContract, rows: list[dict[str, object]]) -> int:
    bucketed = "bucket" in contract.schema.names
    names = [name for name in contract.schema.names if name != "bucket"]
    table = pa.Table.from_pylist(rows, schema=pa.schema([contract.schema.field(name) for name in names]))
    if bucketed:
        bucket = (plh.col("user_id").nchash.xxhash64() % BUCKETS).cast(pl.Int32)
        table = pl.DataFrame(table).with_columns(bucket.alias("bucket")).to_arrow()
    return Table(str(folder), contract).commit(Table(str(folder), contract).write(table, "rows"), consumed=["test"])
