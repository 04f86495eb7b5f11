"""What must be true of the tables after any night, however often it was killed, repeated or lied to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_contracts.night import Night, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tests.sequences.model import Model
from tests.sequences.rows import Broken, Event

Place = tuple[Any, ...]
Rows = list[dict[str, Any]]


class History(NamedTuple):
    """What is known of a user between two windows."""

    last: list[Event]
    items: frozenset[str]
    events: int


def read(workspace: Workspace, name: str, version: int | None = None) -> Rows:
    """Read every row of a table."""
    rows: Rows = Table(workspace.tables, promises(workspace.use_case).contracts[name]).read(version).to_pylist()
    return rows


def versions(workspace: Workspace) -> dict[str, int | None]:
    """Return the version of every table."""
    contracts = promises(workspace.use_case).contracts
    return {name: Table(workspace.tables, each).version() for name, each in contracts.items()}


def disk(folder: str) -> dict[str, int]:
    """Return every file under a folder, with its time of change."""
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def assert_published(workspace: Workspace, model: Model) -> None:
    """Every row that came in is an event, in quarantine, or the repeat of one: none is lost, none is there twice."""
    events = Counter(Event(*(row[name] for name in Event._fields)) for row in read(workspace, "events"))
    assert events == Counter(model.events)
    assert all(row["day"] == row["timestamp"].date() for row in read(workspace, "events"))
    broken = Counter(
        Broken(Path(row["source_file"]).name, row["source_row"], row["rule"]) for row in read(workspace, "quarantine")
    )
    assert broken == Counter(each for _, each, _ in model.quarantine)


def assert_features(workspace: Workspace, night: Night, model: Model, max_length: int) -> None:
    """Every table of a finished night holds what its events say, at the version that the night's record names."""
    windows = [(key, events) for build in model.features.builds for key, events in build.windows.items()]
    assert night.windows == tuple(key for key, _ in windows)
    newest = model.features.builds[-1]
    assert (night.window.first_day, night.window.last_day) == (newest.first_day, newest.last_day)
    now = versions(workspace)
    assert now.pop("quarantine") is not None
    now.pop("files")
    assert now.pop("forgotten") is None
    assert now["events"] == model.version
    assert night.tables == now | {"events": newest.version}
    numbers = _assert_items(read(workspace, "items", night.tables["items"]), windows)
    counts = Counter[tuple[str, int]]()
    for row in read(workspace, "item_counts", night.tables["item_counts"]):
        counts[row["window"], row["item_index"]] += row["count"]
    assert counts == Counter((key, numbers[event.item_id]) for key, events in windows for event in events)
    examples = _by_user(read(workspace, "examples", night.tables["examples"]))
    state = _by_user(read(workspace, "state", night.tables["state"]))
    there, latest = set(state), dict[str, str]()
    met: dict[str, set[int]] = defaultdict(set)
    known: dict[str, History] = defaultdict(lambda: History([], frozenset(), 0))
    for key, events in windows:
        for user in sorted({event.user_id for event in events}):
            timeline = _timeline(known[user].last, [event for event in events if event.user_id == user])
            of_user = [event for event, is_new in timeline if is_new]
            whole = known[user].events == len(known[user].last)
            due = [is_new or (whole and event == known[user].last[0]) for event, is_new in timeline]
            order = [event for event, _ in timeline]
            _assert_examples(examples.pop((key, user), []), order, due, numbers, max_length)
            known[user] = History(
                [event for event, _ in timeline][-max_length:],
                known[user].items | {event.item_id for event in of_user},
                known[user].events + len(of_user),
            )
            latest[user] = key
            if (key, user) in state:  # older rows may have been overtaken
                _assert_history(state.pop((key, user)), known[user], met[user], numbers)
    assert (examples, state) == ({}, {}), "rows of users who did nothing"
    assert {(key, user) for user, key in latest.items()} <= there, "somebody's newest row is missing"


def _assert_items(rows: Rows, windows: Sequence[tuple[str, list[Event]]]) -> dict[str, int]:
    """Items are numbered from 1 without gaps, by the window they came in and the bytes of their ids."""
    first: dict[str, str] = {}
    for key, events in windows:
        for item in sorted({event.item_id for event in events}, key=str.encode):
            first.setdefault(item, key)
    numbers = {item: number for number, item in enumerate(first, start=1)}
    assert {(row["item_id"], row["item_index"], row["first_window"]) for row in rows} == {
        (item, numbers[item], first[item]) for item in first
    }
    assert len(rows) == len(first)
    return numbers


def _timeline(known: Sequence[Event], new: Sequence[Event]) -> list[tuple[Event, bool]]:
    """Put new events among those remembered, in the total order of a user's events."""
    return sorted(
        [(event, False) for event in known] + [(event, True) for event in new], key=lambda e: (e[0].place, e[1])
    )


def _assert_examples(
    rows: Rows, timeline: Sequence[Event], due: Sequence[bool], numbers: dict[str, int], max_length: int
) -> None:
    """Every event that is due, but a first, is a target exactly once, right after its context."""
    order = [(event.timestamp, numbers[event.item_id], event.event) for event in timeline]
    wanted = Counter(place for place, is_due in list(zip(order, due, strict=True))[1:] if is_due)
    targets = Counter[Place]()
    for row in rows:
        context, target = (
            list(zip(row[f"{part}_timestamp"], row[part], row[f"{part}_event"], strict=True))
            for part in ("context", "target")
        )
        targets.update(target)
        size = len(context) + len(target)
        assert context
        assert size <= max_length + 1
        assert any(order[start : start + size] == [*context, *target] for start in range(len(order) - size + 1)), (
            f"{row} is no part of {order}"
        )
    assert targets == wanted


def _assert_history(rows: Rows, known: History, met: set[int], numbers: dict[str, int]) -> None:
    """A user has one history a window: the last events in order, every event counted, items with those ``met`` before.

    What the row tells is added to ``met``.
    """
    assert len(rows) == 1
    (row,) = rows
    seen = list(zip(row["timestamps"], row["items"], row["kinds"], strict=True))
    assert seen == [(event.timestamp, numbers[event.item_id], event.event) for event in known.last]
    met |= set(row["seen"])
    assert met == {numbers[item] for item in known.items}
    assert row["event_count"] == known.events


def _by_user(rows: Rows) -> dict[tuple[str, str], Rows]:
    found: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in rows:
        found[row["window"], row["user_id"]].append(row)
    return found


PROMISES = [
    (check.__doc__ or "").strip()
    for check in (assert_published, assert_features, _assert_items, _assert_examples, _assert_history)
]
"""What was looked at, in words."""
