"""What features a night makes of the events that have none, in plain Python: into which windows they fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from data_contracts.night import HeldOut
from tasks.preprocess.errors import TooFewTargetsError
from tests.sequences.rows import Batch, Event

COMMITS = ("items", "item_counts", "examples", "state")


class RefusedError(Exception):
    """The night must end with an error of ``kind``."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(kind.__name__)
        self.kind = kind


class Build(NamedTuple):
    """One night's features: events up to a version of table `events`, by window, oldest first."""

    version: int
    first_day: date
    last_day: date
    windows: dict[str, list[Event]]


@dataclass
class Features:
    """The features of every night.

    Attributes:
        held_out: How much the first night holds out.
        builds: Those of finished nights.
        planned: Those of a night that was begun.
        committed: Tables that have the planned ones.
    """

    held_out: HeldOut
    builds: list[Build] = field(default_factory=list)
    planned: Build | None = None
    committed: set[str] = field(default_factory=set)

    def night(self, batches: Sequence[Batch]) -> Iterator[str]:
        """Finish a night that was begun, then make the features of the newest of ``batches``.

        Raises:
            RefusedError: It must end with an error.
        """
        opened = [batch for batch in batches if batch.window]
        versions = {build.version for build in (self.planned, *opened[-1:]) if build is not None}
        for version in sorted(versions - {build.version for build in self.builds}):
            build = self.planned or self._plan(batches, version)
            for table in COMMITS:
                if table not in self.committed:
                    yield table
                    self.planned = build
                    self.committed.add(table)
            self.builds.append(build)
            self.planned, self.committed = None, set()

    def _plan(self, batches: Sequence[Batch], version: int) -> Build:
        """Part the events up to the window's end that have no features yet: new ones, and those that were early."""
        window = batches[version].window
        assert window is not None
        last_day = window[1]
        done, before = (self.builds[-1].version, self.builds[-1].last_day) if self.builds else (-1, date.min)
        events = [
            event
            for batch in batches[: version + 1]
            for event in batch.events
            if event.timestamp.date() <= last_day and (batch.version > done or event.timestamp.date() > before)
        ]
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
            if enough and sum(count > 0 for count in held.values()) >= self.held_out.min_units:
                if any(each < day for of_user in targets.values() for each in of_user):
                    return day
                break
        raise RefusedError(TooFewTargetsError)
