"""Tables of nights that are spread over windows by a `Plan`: what their commits remember, of every such use case.

The first table of a night says how it was planned, the last one which windows there are (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from data_contracts.night import HeldOut, Night, Window
from data_contracts.table import Part, Table
from tasks.preprocess.nights import Nights
from tasks.preprocess.plan import OfDay, Plan, hold_out_end

WINDOWS = "windows"
"""Note of a commit of the last table: the keys of all windows so far, JSON. One may have no example at all."""


class PlannedTables:
    """The tables of one workspace.

    Args:
        truth: Rows as they came.
        first: What a night commits first.
        last: What it commits last.
    """

    def __init__(self, truth: Table, first: Table, last: Table) -> None:
        self._truth, self._first, self._last = truth, first, last
        self.nights = Nights(truth, first=first, last=last)

    def window(self, version: int) -> Window:
        """Return the window that a version of the truth was opened with."""
        first_day, last_day = (self._truth.mark(name, version) for name in ("window_first", "window"))
        assert first_day is not None
        assert last_day is not None, "validate opens a window with the first rows"
        return Window(first_day=date.fromordinal(first_day), last_day=date.fromordinal(last_day))

    def next_plan(self, version: int, days: Mapping[date, OfDay], held_out: HeldOut, rows: str) -> Plan:
        """Plan a night that is to begin: all days since the night before; the first one holds its end out.

        Args:
            version: Of the truth that it takes.
            days: See `hold_out_end`, as the next two are.
            held_out: What is enough to judge.
            rows: What people call the units.

        Raises:
            TooFewTargetsError: No cut leaves enough in the end and anything in the past.
        """
        window = self.window(version)
        if self.nights.done is None:
            return Plan(window=hold_out_end(days, window, held_out, rows), first=True)
        after = self.plan().window.last_day + timedelta(days=1)
        return Plan(window=window.model_copy(update={"first_day": after}), first=False)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(window=self.nights.window, first=bool(self._first.mark("first")))

    def windows(self) -> list[str]:
        """Return the keys of all windows that are done, oldest first."""
        keys: list[str] = json.loads(self._last.note(WINDOWS) or "[]")
        return keys

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        versions = {table.contract.name: table.version() or 0 for table in (self._truth, self._first, self._last)}
        return Night(
            window=self.plan().window,
            windows=tuple(self.windows()),
            tables=versions | {self._truth.contract.name: self.nights.readable},
        )

    def commit_first(self, parts: Sequence[Part], version: int, plan: Plan, made_with: dict[str, int]) -> None:
        """Commit the first table of a night, and how it is planned."""
        marks = {**self.nights.beginning(version, plan.window), "first": int(plan.first), **made_with}
        self._first.commit(parts, [self.nights.consumes(version)], marks=marks)

    def commit_last(self, parts: Sequence[Part], version: int, marks: dict[str, int] | None = None) -> None:
        """Commit the last table of a night, and its windows."""
        notes = {WINDOWS: json.dumps([*self.windows(), *self.plan().keys])}
        marks = {**self.nights.end(version), **(marks or {})}
        self._last.commit(parts, [self.nights.consumes(version)], marks=marks, notes=notes)
