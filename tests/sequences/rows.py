"""What a row becomes: an event, a row in quarantine, or the repeat of one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from data_contracts.contract import LATE
from tests.placing import place_of
from tests.sequences.logs import Line

FIRST_DAY = date(1995, 1, 1)
MAX_ID_BYTES = 256


class Event(NamedTuple):
    """One accepted row."""

    user_id: str
    item_id: str
    event: str
    timestamp: datetime
    value: float | None

    @property
    def place(self) -> tuple[datetime, int]:
        """Its place among the user's events."""
        return self.timestamp, place_of(self.user_id, self.item_id, self.event, self.timestamp)


class Broken(NamedTuple):
    """One row in quarantine."""

    file: str
    row: int
    rule: str


class Batch(NamedTuple):
    """What one night takes from its files.

    Attributes:
        files: Those consumed, by name and generation.
        version: Of table `events`, with them.
        read: Rows in the files.
        events: Rows that are new and break no rule.
        broken: Rows that are new and break one, as they came and as they are kept.
        begun: Whether they are in quarantine already.
        window: First and last day of the window that is opened; None when none is.
    """

    files: frozenset[tuple[str, int]]
    version: int
    read: int
    events: list[Event]
    broken: list[tuple[str | Line, Broken]]
    begun: bool
    window: tuple[date, date] | None

    @property
    def repeats(self) -> int:
        """Rows read that became nothing."""
        return self.read - len(self.events) - len(self.broken)


def is_sound(line: Line) -> bool:
    """Whether a row says who, what and when: only such a one can be the repeat of another of its night."""
    return not line.problem and None not in (line.user_id, line.item_id, line.timestamp)


def event_of(line: Line) -> Event:
    """Return a row that breaks no rule as an event."""
    assert line.user_id is not None
    assert line.item_id is not None
    assert line.timestamp is not None
    return Event(line.user_id, line.item_id, line.event, line.timestamp, line.value)


def broken_rules(line: Line, *, earliest: date, today: date) -> Iterator[str]:
    """Name the rules that a row breaks, in their order.

    Args:
        line: The row.
        earliest: First day that is not too late.
        today: Last day that is not in the future.
    """
    if line.problem:
        yield line.problem
    ids = {"user_id": line.user_id, "item_id": line.item_id}
    yield from (f"{name} missing" for name, given in (ids | {"timestamp": line.timestamp}).items() if given is None)
    yield from (f"{name} too long" for name, given in ids.items() if len((given or "").encode()) > MAX_ID_BYTES)
    if not math.isfinite(line.value or 0):
        yield "value not finite"
    day = line.timestamp.date() if line.timestamp else today
    if day < FIRST_DAY:
        yield "timestamp before first_day"
    if day > today:
        yield "timestamp in the future"
    if day < earliest:
        yield LATE
