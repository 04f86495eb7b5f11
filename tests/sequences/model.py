"""What must come out of a night, in plain Python: no Dask, no frames, no tables.

A night of the model is a generator: it stops at each commit point and commits when it goes on. To kill it, stop there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from data_contracts.contract import LATE, ContractViolationError
from tasks.ingest.errors import IngestError, NoFilesError
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import WindowError
from tasks.validate.window import next_window
from tests.sequences.features import Features, RefusedError
from tests.sequences.logs import File, Line, json_line
from tests.sequences.rows import FIRST_DAY, Batch, Broken, Event, broken_rules, event_of, is_sound


@dataclass
class Model:
    """A source, its tables, and what a night makes of them.

    Attributes:
        config: What is accepted, and which days are whole.
        files: What lies at the source.
        consumed: Files in table `events`, by name and generation.
        batches: What was committed to it, the newest last.
        quarantine: Rows in quarantine: as they came, as they are kept, and the version of `events` that their night
            makes.
        begun: Files in table `quarantine`, and the version of `events` that the newest night there makes.
        indexed: Files in table `files`.
        features: What was made of the events.
    """

    config: ValidationConfig
    features: Features
    files: dict[str, File] = field(default_factory=dict)
    consumed: set[tuple[str, int]] = field(default_factory=set)
    batches: list[Batch] = field(default_factory=list)
    quarantine: list[tuple[str | Line, Broken, int]] = field(default_factory=list)
    begun: tuple[frozenset[tuple[str, int]], int] = (frozenset(), -1)
    indexed: set[tuple[str, int]] = field(default_factory=set)

    @property
    def version(self) -> int:
        """Of table `events`; -1 without one."""
        return len(self.batches) - 1

    @property
    def opened(self) -> list[Batch]:
        """The commits that opened a window."""
        return [batch for batch in self.batches if batch.window]

    @property
    def end(self) -> date | None:
        """Last day of the newest window."""
        return self.opened[-1].window[1] if self.opened else None

    @property
    def events(self) -> list[Event]:
        """Every row accepted."""
        return [event for batch in self.batches for event in batch.events]

    @property
    def _earliest(self) -> date:
        """First day that is not too late."""
        return FIRST_DAY if self.end is None else self.end - timedelta(days=self.config.late_days - 1)

    def night(self, through: date | None) -> Iterator[str]:
        """Run a night up to the commit points that it passes.

        Raises:
            RefusedError: It must end with an error.
        """
        if not self.files:
            raise RefusedError(NoFilesError)
        taken = self._taken()
        if any(file.damage for file in taken):
            raise RefusedError(IngestError)
        if taken:
            yield "staging"
        yield from self._publish(self._parted(taken), through)
        yield from self.features.night(self.batches)

    def _taken(self) -> list[File]:
        """Return the files that are new; of a night that died between its commits only its own."""
        new = [file for _, file in sorted(self.files.items()) if file.key not in self.consumed]
        rest = [file for file in new if file.key in self.begun[0]]
        return rest if rest and self.begun[1] == self.version + 1 else new

    def _parted(self, taken: Sequence[File]) -> Batch:
        """Part rows into events and broken ones: none that the tables have, and of equal sound ones the first."""
        files, version = frozenset(file.key for file in taken), self.version + 1
        begun = files <= self.begun[0] and self.begun[1] == version
        before = [(kept, broken) for kept, broken, night in self.quarantine if not (begun and night == version)]
        there, accepted = Counter(kept for kept, _ in before), set(self.events)
        rows = _firsts(taken)
        again = {name for line, name, _ in rows if is_sound(line) and line[:5] in accepted}
        again |= {broken.file for _, broken in before}
        events: list[Event] = []
        broken: list[tuple[str | Line, Broken]] = []
        for line, name, row in rows:
            if is_sound(line) and line[:5] in accepted:
                continue
            rule = next(broken_rules(line, earliest=self._earliest, today=datetime.now(UTC).date()), "")
            kept = json_line(line, row) if ".jsonl" in name and not is_sound(line) else line
            if not rule:
                events.append(event_of(line))
            elif there[kept] and (name in again or rule == LATE):
                there[kept] -= 1
            else:
                broken.append((kept, Broken(name, row, rule)))
        read = sum(len(file.lines) for file in taken)
        return Batch(files, version, read, events, broken, begun, window=None)

    def _publish(self, batch: Batch, through: date | None) -> Iterator[str]:
        """Commit what is new, whatever its day, and open the next window once its last day is whole."""
        on_budget = sum(broken.rule != LATE for _, broken in batch.broken)
        rows = len(batch.events) + on_budget
        if on_budget > self.config.max_quarantined * rows or 0 < on_budget == rows:
            raise RefusedError(ContractViolationError)
        batch = batch._replace(window=self._window(batch, through))
        if not (batch.window or batch.files):
            return
        if self.indexed != self.consumed:
            yield "files"
            self.indexed |= self.consumed
        if batch.files and not batch.begun:
            yield "quarantine"
            self.quarantine += [(line, broken, batch.version) for line, broken in batch.broken]
            self.begun = self.begun[0] | batch.files, batch.version
        yield "events"
        self.batches.append(batch)
        self.consumed |= batch.files

    def _window(self, batch: Batch, through: date | None) -> tuple[date, date] | None:
        days = Counter(event.timestamp.date() for event in [*self.events, *batch.events])
        try:
            window = next_window(days, end=self.end, asked=through, config=self.config, now=datetime.now(UTC))
        except WindowError as error:
            raise RefusedError(type(error)) from error
        return None if window is None else (window.first_day, window.last_day)


def _firsts(files: Sequence[File]) -> list[tuple[Line, str, int]]:
    """Return every row with its place, of sound ones that are equal the first."""
    rows = [(line, file.name, number) for file in files for number, line in enumerate(file.lines)]
    firsts: dict[Line | tuple[str, int], tuple[Line, str, int]] = {}
    for line, name, number in rows:
        firsts.setdefault(line if is_sound(line) else (name, number), (line, name, number))
    return list(firsts.values())
