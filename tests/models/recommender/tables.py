"""Tables written as `preprocess` promises them, straight from sequences: small and plain, for judging only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from data_contracts.buckets import bucket_of
from data_contracts.contract import DataContract
from data_contracts.job import TablesAt
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table

Event = int | tuple[int, str] | tuple[int, str, date]
"""Item number, kind (a view where none is said), and day or moment where it is not the window's."""
Events = Sequence[Event]
NO_DAY = date(2026, 11, 1)


class Met(NamedTuple):
    """One event."""

    item: int
    kind: str
    time: datetime


def write_tables(folder: Path, windows: Mapping[str, Mapping[str, Events]], *, max_length: int = 4) -> TablesAt:
    """Write every table of ``windows``: key, an ISO day or any name, to user to events in order, a minute apart."""
    so_far: dict[str, list[Met]] = {}
    first_window: dict[int, str] = {}
    rows: dict[DataContract, list[dict[str, object]]] = {
        contract: [] for contract in (EVENTS, ITEMS, ITEM_COUNTS, EXAMPLES, STATE)
    }
    for window, users in windows.items():
        for user, events in users.items():
            before = so_far.get(user, [])
            new = [_met(event, window, len(before) + number) for number, event in enumerate(events)]
            so_far[user] = before + new
            of_user = {"user_id": user, "window": window}
            rows[EVENTS] += [_event(user, met) for met in new]
            rows[EXAMPLES] += [row | of_user for row in _cut(before, new, max_length)]
            rows[STATE].append(of_user | _history(so_far[user], max_length))
        counts = Counter(met.item for user in users for met in so_far[user][-len(users[user]) :])
        rows[ITEM_COUNTS] += [
            {"item_index": item, "count": count, "window": window} for item, count in sorted(counts.items())
        ]
        for item in sorted(set(counts) - set(first_window)):
            first_window[item] = window
    rows[ITEMS] = [
        {"item_id": f"item-{item}", "item_index": item, "first_window": key} for item, key in first_window.items()
    ]
    return TablesAt(
        folder=str(folder), versions={contract.name: _write(folder, contract, rows[contract]) for contract in rows}
    )


def _met(event: Event, window: str, minute: int) -> Met:
    given = event if isinstance(event, tuple) else (event,)
    item, kind, when = (*given, *(0, "view", _day(window))[len(given) :])
    if isinstance(when, datetime):
        return Met(item, kind, when)
    return Met(item, kind, datetime.combine(when, time(), UTC) + timedelta(minutes=minute))


def _day(window: str) -> date:
    try:
        return date.fromisoformat(window)
    except ValueError:
        return NO_DAY


def _event(user: str, met: Met) -> dict[str, object]:
    of_event = {"item_id": f"item-{met.item}", "event": met.kind, "timestamp": met.time, "value": None}
    return {"user_id": user, "day": met.time.date(), **of_event}


def _cut(before: list[Met], new: list[Met], max_length: int) -> list[dict[str, object]]:
    events, position, rows = before + new, max(len(before), 1), []
    while position < len(events):
        size = min(len(events) - position, max_length + 1 - min(position, max_length // 2))
        context = events[max(0, position - (max_length + 1 - size)) : position]
        target = events[position : position + size]
        rows.append(
            {
                "context": [met.item for met in context],
                "context_event": [met.kind for met in context],
                "context_timestamp": [met.time for met in context],
                "target": [met.item for met in target],
                "target_event": [met.kind for met in target],
                "target_timestamp": [met.time for met in target],
            }
        )
        position += size
    return rows


def _history(events: list[Met], max_length: int) -> dict[str, object]:
    seen = list(dict.fromkeys(met.item for met in reversed(events)))[::-1]
    last = events[-max_length:]
    return {
        "items": [met.item for met in last],
        "kinds": [met.kind for met in last],
        "timestamps": [met.time for met in last],
        "seen": seen,
        "event_count": len(events),
    }


def _write(folder: Path, contract: DataContract, rows: list[dict[str, object]]) -> int:
    bucketed = "bucket" in contract.schema.names
    names = [name for name in contract.schema.names if name != "bucket"]
    table = pa.Table.from_pylist(rows, schema=pa.schema([contract.schema.field(name) for name in names]))
    if bucketed:
        bucket = bucket_of("user_id")
        table = pl.DataFrame(table).with_columns(bucket.alias("bucket")).to_arrow()
    return Table(str(folder), contract).commit(Table(str(folder), contract).write(table, "rows"), consumed=["test"])
