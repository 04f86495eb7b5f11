"""The four tables that preprocess writes, and what their commits remember about the nights that made them.

`items` is committed first and says how a night was planned, `state` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_contracts.night import Night, Protocol
from data_contracts.reading import scan
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Part, Table
from tasks.preprocess.nights import Nights
from tasks.preprocess.recommender.plan import Plan

USERS = "users"
"""Mark of `state`: how many users have a row."""
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
        self.state = Table(folder, STATE)
        self.nights = Nights(self.events, first=self.items, last=self.state)

    def new_files(self, events: int, protocol: Protocol) -> dict[str, int]:
        """Return the files with the events of a night, and their rows; without times there is one night, of all.

        Args:
            events: Version of table `events` that the night's window was opened with.
            protocol: Of the night.

        Raises:
            OutOfOrderError: See `tasks.preprocess.truth.new_files`.
        """
        return self.nights.new_files(events, by_window=protocol != "leave_one_out")

    def has_new(self, events: int, protocol: Protocol) -> bool:
        """Whether there are any such events."""
        return sum(self.new_files(events, protocol).values()) > 0

    def commit_items(self, parts: list[Part], events: int, plan: Plan) -> None:
        """Begin a night: commit its new items, and how it is planned."""
        marks = {**self.nights.beginning(events, plan.window), "protocol": PROTOCOLS.index(plan.protocol)}
        self.items.commit(parts, [self.nights.consumes(events)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(self.nights.window, self.nights.done is None, PROTOCOLS[self.items.mark("protocol") or 0])

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        plan = self.plan()
        tables = (self.events, self.items, self.item_counts, self.examples, self.state)
        versions = {table.contract.name: table.version() or 0 for table in tables} | {"events": self.nights.readable}
        windows = tuple(self.item_counts.partitions())
        return Night(window=plan.window, windows=windows, tables=versions, protocol=plan.protocol)

    def users(self) -> int:
        """Return how many users have a row of `state`."""
        return self.state.mark(USERS) or 0


def numbered(files: Sequence[str]) -> pl.DataFrame:
    """Read ``item_id`` and ``item_index`` of every item in files of table `items`."""
    columns = ["item_id", "item_index"]
    if not files:
        return pl.DataFrame(ITEMS.schema.empty_table()).select(columns)
    return scan(files, ITEMS).select(columns).collect()
