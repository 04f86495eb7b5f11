"""What must come out of a night, in plain Python: no Dask, no frames, no tables.

A night of the model is a generator: it stops at each commit point and commits when it goes on. To kill it, stop there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from data_contracts.contract import ContractViolationError
from data_contracts.night import HeldOut
from tasks.ingest.days import added, median_day, newest_complete_day
from tasks.ingest.errors import EmptyDayError, IngestError, NoCompleteDayError, NoFilesError
from tasks.preprocess.errors import TooFewTargetsError
from tests.sequences.logs import File, Line

FIRST_DAY = date(1995, 1, 1)
MAX_ID_BYTES = 256


class RefusedError(Exception):
    """The night must end with an error of ``kind``."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(kind.__name__)
        self.kind = kind


class Event(NamedTuple):
    """One accepted row."""

    user_id: str
    item_id: str
    event: str
    timestamp: datetime
    value: float | None

    @property
    def place(self) -> tuple[datetime, bytes, bytes]:
        """Its place among the user's events."""
        return self.timestamp, self.item_id.encode(), self.event.encode()


class Broken(NamedTuple):
    """One row in quarantine."""

    file: str
    row: int
    rule: str
    night: date


class Batch(NamedTuple):
    """What one night takes from its files.

    Attributes:
        files: Those consumed, by name and generation.
        version: Of table `events`, with them.
        read: Rows in the files.
        events: Rows that are new and break no rule.
        broken: Rows that are new and break one, as they came and as they are kept.
        begun: Whether they are in quarantine already.
    """

    files: frozenset[tuple[str, int]]
    version: int
    through: date
    first_day: date
    read: int
    events: list[Event]
    broken: dict[Line, Broken]
    begun: bool

    @property
    def repeats(self) -> int:
        """Rows read that became nothing."""
        return self.read - len(self.events) - len(self.broken)


class Build(NamedTuple):
    """One night's features: events up to a version of table `events`, by window, oldest first."""

    version: int
    first_day: date
    last_day: date
    windows: dict[str, list[Event]]


@dataclass
class Model:
    """A source, its tables, and what a night makes of them.

    Attributes:
        files: What lies at the source.
        consumed: Files in table `events`, by name and generation.
        version: Of table `events`; -1 without one.
        batches: The windows published.
        quarantine: Rows in quarantine, as they came and as they are kept.
        begun: Files in table `quarantine`, and the last day of the newest night there.
        builds: Features of finished nights.
        planned: Features of a night that was begun.
        committed: Tables that have the planned features.
    """

    late_days: int
    budget: float
    held_out: HeldOut
    files: dict[str, File] = field(default_factory=dict)
    consumed: set[tuple[str, int]] = field(default_factory=set)
    version: int = -1
    batches: list[Batch] = field(default_factory=list)
    quarantine: list[tuple[Line, Broken]] = field(default_factory=list)
    begun: tuple[frozenset[tuple[str, int]], date] = (frozenset(), date.min)
    builds: list[Build] = field(default_factory=list)
    planned: Build | None = None
    committed: set[str] = field(default_factory=set)

    @property
    def end(self) -> date | None:
        """Last day of the newest window."""
        return self.batches[-1].through if self.batches else None

    @property
    def events(self) -> list[Event]:
        """Every row accepted."""
        return [event for batch in self.batches for event in batch.events]

    def night(self, through: date | None) -> Iterator[str]:
        """Run a night up to the commit points that it passes.

        Raises:
            RefusedError: It must end with an error.
        """
        due = self._due(through)
        if due is not None:
            yield "staging"
            yield from self._publish(self._parted(*due))
        yield from self._features()

    def _due(self, asked: date | None) -> tuple[list[File], date] | None:
        """Return the files to take and the last day; None when there is nothing to take."""
        if not self.files:
            raise RefusedError(NoFilesError)
        new = [file for _, file in sorted(self.files.items()) if file.key not in self.consumed]
        begun, last_day = self.begun
        rest = [file for file in new if file.key in begun]
        is_begun = bool(rest) and (self.end is None or last_day > self.end)
        new = rest if is_begun else new
        if any(file.damage for file in new):
            raise RefusedError(IngestError)
        if is_begun or not new:
            return (new, last_day) if new else None
        through = asked or newest_complete_day(days(new), today=datetime.now(UTC).date())
        if through is None and any(days(new)):
            through = self.end
        if through is None:
            raise RefusedError(NoCompleteDayError)
        taken = _up_to(through, new)
        if self.end is not None and (through <= self.end or not (taken or asked)):
            through = self.end
            taken = [file for file in _up_to(through, new) if file.lines]
        elif not days(taken).get(through):
            raise RefusedError(EmptyDayError)
        return (taken, through) if taken else None

    def _parted(self, taken: Sequence[File], through: date) -> Batch:
        """Part rows into events and broken ones; of equal ones the first, and none that the tables have."""
        files = frozenset(file.key for file in taken)
        begun = files <= self.begun[0] and self.begun[1] == through
        known = {(broken.file, line) for line, broken in self.quarantine if not (begun and broken.night == through)}
        accepted: set[tuple[object, ...]] = set(self.events)
        events: list[Event] = []
        broken: dict[Line, Broken] = {}
        for line, (name, row) in _firsts(taken).items():
            if line[:5] in accepted and not line.problem:
                continue
            rule = next(self._rules(line, through), "")
            if not rule:
                events.append(event_of(line))
            elif (name, line) not in known:
                broken[line] = Broken(name, row, rule, through)
        earliest = min((event.timestamp.date() for event in events), default=through)
        return Batch(
            files=files,
            version=self.version + 1,
            through=through,
            first_day=earliest if self.end is None else self.end + timedelta(days=1),
            read=sum(len(file.lines) for file in taken),
            events=events,
            broken=broken,
            begun=begun,
        )

    def _publish(self, batch: Batch) -> Iterator[str]:
        """Commit what is new; remember files with nothing new; let what is late wait for the next window."""
        if self.batches and batch.repeats == batch.read:
            yield "events"
            self.consumed |= batch.files
            self.version += 1
        elif self.end is None or batch.through > self.end:
            rows = len(batch.events) + len(batch.broken)
            if len(batch.broken) > self.budget * rows or not batch.events:
                raise RefusedError(ContractViolationError)
            if not batch.begun:
                yield "quarantine"
                self.quarantine += batch.broken.items()
                self.begun = self.begun[0] | batch.files, batch.through
            yield "events"
            self.batches.append(batch)
            self.consumed |= batch.files
            self.version += 1

    def _rules(self, line: Line, through: date) -> Iterator[str]:
        """Name the rules that a row breaks, in their order."""
        if line.problem:
            yield line.problem
        ids = {"user_id": line.user_id, "item_id": line.item_id}
        yield from (f"{name} missing" for name, given in (ids | {"timestamp": line.timestamp}).items() if given is None)
        yield from (f"{name} too long" for name, given in ids.items() if len((given or "").encode()) > MAX_ID_BYTES)
        if not math.isfinite(line.value or 0):
            yield "value not finite"
        day = line.timestamp.date() if line.timestamp else through
        if day < FIRST_DAY:
            yield "timestamp before first_day"
        if self.end is not None and day <= self.end - timedelta(days=self.late_days):
            yield "timestamp older than late_days"
        if day > through:
            yield "timestamp after through"

    def _features(self) -> Iterator[str]:
        """Finish the features of a night that was begun, then make those of the newest events."""
        versions = {build.version for build in (self.planned, *self.batches[-1:]) if build is not None}
        for version in sorted(versions - {build.version for build in self.builds}):
            build = self.planned or self._plan(version)
            for table in ("items", "item_counts", "examples", "histories"):
                if table not in self.committed:
                    yield table
                    self.planned = build
                    self.committed.add(table)
            self.builds.append(build)
            self.planned, self.committed = None, set()

    def _plan(self, version: int) -> Build:
        """Part the events that have no features yet into windows."""
        done = self.builds[-1].version if self.builds else -1
        batches = [batch for batch in self.batches if done < batch.version <= version]
        events = [event for batch in batches for event in batch.events]
        last_day = batches[-1].through
        if self.builds:
            first_day = self.builds[-1].last_day + timedelta(days=1)
            return Build(version, first_day, last_day, {last_day.isoformat(): events})
        first_day = self._held_out(events)
        past = (first_day - timedelta(days=1)).isoformat()
        windows: dict[str, list[Event]] = {past: [], last_day.isoformat(): []}
        for event in events:
            windows[past if event.timestamp.date() < first_day else last_day.isoformat()].append(event)
        return Build(version, first_day, last_day, windows)

    def _held_out(self, events: Sequence[Event]) -> date:
        """Return the newest day from which on the events are enough to judge, with a target before it."""
        by_user: dict[str, list[date]] = {}
        for event in events:
            by_user.setdefault(event.user_id, []).append(event.timestamp.date())
        targets = {user: sorted(days)[1:] for user, days in by_user.items()}
        for day in sorted({event.timestamp.date() for event in events}, reverse=True):
            held = {user: sum(each >= day for each in of_user) for user, of_user in targets.items()}
            enough = sum(held.values()) >= self.held_out.min_targets
            if enough and sum(count > 0 for count in held.values()) >= self.held_out.min_users:
                if any(each < day for of_user in targets.values() for each in of_user):
                    return day
                break
        raise RefusedError(TooFewTargetsError)


def event_of(line: Line) -> Event:
    """Return a row that breaks no rule as an event."""
    assert line.user_id is not None
    assert line.item_id is not None
    assert line.timestamp is not None
    return Event(line.user_id, line.item_id, line.event, line.timestamp, line.value)


def _up_to(day: date, files: Sequence[File]) -> list[File]:
    return [file for file in files if (median_day(days([file])) or day) <= day]


def _firsts(files: Sequence[File]) -> dict[Line, tuple[str, int]]:
    """Return every row once, and where it came first."""
    rows: dict[Line, tuple[str, int]] = {}
    for file in files:
        for number, line in enumerate(file.lines):
            rows.setdefault(line, (file.name, number))
    return rows


def days(files: Sequence[File]) -> Counter[date | None]:
    """Count rows by day; those without a time have none."""
    return added(*(Counter(line.timestamp and line.timestamp.date() for line in file.lines) for file in files))
