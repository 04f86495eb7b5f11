"""What must come out of a night, in plain Python: no Dask, no frames, no tables.

A night of the model is a generator: it stops at each commit point and commits when it goes on. To kill it, stop there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from data_contracts.contract import AFTER_THROUGH, ContractViolationError
from tasks.ingest.days import added, median_day, newest_complete_day
from tasks.ingest.errors import EmptyDayError, IngestError, NoCompleteDayError, NoFilesError
from tests.sequences.features import Features, RefusedError
from tests.sequences.logs import File, Line
from tests.sequences.rows import FIRST_DAY, Batch, Broken, Event, broken_rules, event_of


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
        features: What was made of the events.
    """

    late_days: int
    budget: float
    features: Features
    files: dict[str, File] = field(default_factory=dict)
    consumed: set[tuple[str, int]] = field(default_factory=set)
    version: int = -1
    batches: list[Batch] = field(default_factory=list)
    quarantine: list[tuple[Line, Broken]] = field(default_factory=list)
    begun: tuple[frozenset[tuple[str, int]], date] = (frozenset(), date.min)

    @property
    def end(self) -> date | None:
        """Last day of the newest window."""
        return self.batches[-1].through if self.batches else None

    @property
    def events(self) -> list[Event]:
        """Every row accepted."""
        return [event for batch in self.batches for event in batch.events]

    @property
    def _earliest(self) -> date:
        """First day that is not too late for the next window."""
        return FIRST_DAY if self.end is None else self.end - timedelta(days=self.late_days - 1)

    def night(self, through: date | None) -> Iterator[str]:
        """Run a night up to the commit points that it passes.

        Raises:
            RefusedError: It must end with an error.
        """
        due = self._due(through)
        if due is not None:
            yield "staging"
            yield from self._publish(self._parted(*due))
        yield from self.features.night(self.batches)

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
        through = asked or newest_complete_day(days(new), today=datetime.now(UTC).date()) or self.end
        if through is None:
            raise RefusedError(NoCompleteDayError)
        taken = _up_to(through, new)
        is_empty = not days(taken).get(through)
        if self.end is not None and (through <= self.end or (is_empty and not asked)):
            through = self.end
            taken = _up_to(through, new)
        elif is_empty:
            raise RefusedError(EmptyDayError)
        return (taken, through) if taken else None

    def _parted(self, taken: Sequence[File], through: date) -> Batch:
        """Part rows into events and broken ones; of equal ones the first, and none that the tables have."""
        files = frozenset(file.key for file in taken)
        begun = files <= self.begun[0] and self.begun[1] == through
        known = {line for line, broken in self.quarantine if not (begun and broken.night == through)}
        accepted: set[tuple[object, ...]] = set(self.events)
        events: list[Event] = []
        broken: dict[Line, Broken] = {}
        for line, (name, row) in _firsts(taken).items():
            if line[:5] in accepted and not line.problem:
                continue
            rule = next(broken_rules(line, earliest=self._earliest, through=through), "")
            if not rule:
                events.append(event_of(line))
            elif line not in known:
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
            on_budget = sum(broken.rule != AFTER_THROUGH for broken in batch.broken.values())
            if on_budget > self.budget * (len(batch.events) + on_budget) or not batch.events:
                raise RefusedError(ContractViolationError)
            if not batch.begun:
                yield "quarantine"
                self.quarantine += batch.broken.items()
                self.begun = self.begun[0] | batch.files, batch.through
            yield "events"
            self.batches.append(batch)
            self.consumed |= batch.files
            self.version += 1


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
