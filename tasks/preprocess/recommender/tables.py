"""The four tables that preprocess writes, and what their commits remember about the nights that made them.

A night commits to `items` first and to `histories` last; every commit consumes ``events@<version>``. So `items` says
which night was begun and how it was planned, `histories` which one is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from data_contracts.night import Night, Protocol, Window
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.histories import HISTORIES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.table import Part, Table
from tasks.preprocess.errors import NoNewEventsError, OutOfOrderError, RowsLostError
from tasks.preprocess.recommender.plan import Plan

PROTOCOLS: tuple[Protocol, ...] = ("nightly", "leave_one_out")


class Tables:
    """The tables of one workspace, in the order of their commits.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.events = Table(folder, EVENTS)
        self.items = Table(folder, ITEMS)
        self.item_counts = Table(folder, ITEM_COUNTS)
        self.examples = Table(folder, EXAMPLES)
        self.histories = Table(folder, HISTORIES)

    @property
    def begun(self) -> int | None:
        """Version of `events` that the newest night began with."""
        return self.items.mark("events")

    @property
    def done(self) -> int | None:
        """Version of `events` that the newest finished night took."""
        return self.histories.mark("events")

    def unfinished(self, events: int, protocol: Protocol) -> Iterator[int]:
        """Yield the nights to build, oldest first: one that was broken off, and the one that takes ``events``.

        Each is asked for when the one before is done. One that has nothing new is left out.

        Raises:
            OutOfOrderError: See `new_files`.
            NoNewEventsError: There is nothing to make the first features of.
        """
        for night in sorted({events if self.begun is None else self.begun, events}):
            if night != self.done and sum(self.new_files(night, protocol).values()) > 0:
                yield night
        if self.done is None:
            raise NoNewEventsError(
                f"{self.events.uri}: version {events} holds no rows. No features were published. Take more days."
            )

    def new_files(self, events: int, protocol: Protocol) -> dict[str, int]:
        """Return the files with the events of a night, and their rows: those up to the end of its window.

        They came since the newest finished night, or before and too early for it: each file is of one day. Without
        times there is one night, and it takes all.

        Args:
            events: Version of table `events` that the night's window was opened with.
            protocol: Of the night.

        Raises:
            OutOfOrderError: Files of that night are there no more, so that nobody can tell which rows are new.
        """
        files = self.events.file_rows(events)
        old = {} if self.done is None else self.events.file_rows(self.done)
        if gone := old.keys() - files.keys():
            raise OutOfOrderError(
                f"{self.events.uri}: {len(gone):,} of the {len(old):,} files of version {self.done} were rewritten "
                f"before version {events}, e.g. {min(gone)}. No features were published. Restore the table to version "
                f"{self.done}, and never compact it between validate and preprocess."
            )
        if protocol == "leave_one_out":
            return {file: rows for file, rows in files.items() if file not in old}
        before, end = self._window_end(self.done), self._window_end(events)
        return {
            file: rows
            for file, rows in files.items()
            if (file not in old or self._day(file) > before) and self._day(file) <= end
        }

    def refuse_lost_files(self, events: int) -> None:
        """See that version ``events`` has as many rows as validate counted; tables made before do not say how many.

        Raises:
            RowsLostError: It has not.
        """
        promised, found = self.events.mark("rows", events), sum(self.events.file_rows(events).values())
        if promised not in (None, found):
            raise RowsLostError(
                f"{self.events.uri}: validate published {promised:,} rows up to version {events}, its files have "
                f"{found:,}. No features were published. Restore the table."
            )

    def _window_end(self, events: int | None) -> date:
        """Return the last day of the window that a version of `events` was opened with."""
        last_day = None if events is None else self.events.mark("window", events)
        return date.min if last_day is None else date.fromordinal(last_day)

    def _day(self, file: str) -> date:
        return date.fromisoformat(self.events.partition_of(file))

    def commit_items(self, parts: list[Part], events: int, plan: Plan) -> None:
        """Begin a night: commit its new items, and how it is planned."""
        marks = {
            "events": events,
            "first_day": plan.window.first_day.toordinal(),
            "last_day": plan.window.last_day.toordinal(),
            "protocol": PROTOCOLS.index(plan.protocol),
        }
        self.items.commit(parts, [consumes(events)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        names = ("first_day", "last_day", "protocol")
        first_day, last_day, protocol = (mark for name in names if (mark := self.items.mark(name)) is not None)
        window = Window(first_day=date.fromordinal(first_day), last_day=date.fromordinal(last_day))
        return Plan(window, self.done is None, PROTOCOLS[protocol])

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        plan = self.plan()
        tables = (self.events, self.items, self.item_counts, self.examples, self.histories)
        versions = {table.contract.name: table.version() or 0 for table in tables} | {"events": self.done or 0}
        windows = tuple(self.item_counts.partitions())
        return Night(window=plan.window, windows=windows, tables=versions, protocol=plan.protocol)

    def numbered(self, version: int | None = None) -> pl.DataFrame:
        """Read ``item_id`` and ``item_index`` of every item at ``version``, the newest when omitted."""
        return pl.DataFrame(self.items.read(version, columns=["item_id", "item_index"]))


def consumes(events: int) -> str:
    """Return the application transaction of a night that takes this version of `events`."""
    return f"events@{events}"
