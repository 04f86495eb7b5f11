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
from tasks.preprocess.errors import NoNewEventsError
from tasks.preprocess.recommender.plan import Plan
from tasks.preprocess.truth import new_files

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
        """Return the files with the events of a night, and their rows; without times there is one night, of all.

        Args:
            events: Version of table `events` that the night's window was opened with.
            protocol: Of the night.

        Raises:
            OutOfOrderError: See `new_files`.
        """
        return new_files(self.events, self.done, events, by_window=protocol != "leave_one_out")

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
