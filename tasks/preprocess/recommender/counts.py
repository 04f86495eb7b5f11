"""Count what went in and what came out: no event may be lost, none may be a target twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from operator import add

from tasks.preprocess.errors import RowsLostError


@dataclass(frozen=True)
class WindowCounts:
    """What one window held.

    Attributes:
        events: Events handed over.
        users: Users among them.
        targets: Targets in the examples.
        firsts: Users' very first events, nobody's target.
        late: Events that came late and lie before all that is remembered of their user, nobody's target either.
        shared: Events that have their user's moment with another one, so that their order says nothing.
    """

    events: int = 0
    users: int = 0
    targets: int = 0
    firsts: int = 0
    late: int = 0
    shared: int = 0

    def __add__(self, other: WindowCounts) -> WindowCounts:
        """Add the counts of other users in the same window."""
        return WindowCounts(*map(add, astuple(self), astuple(other)))

    def __str__(self) -> str:
        late = f", {self.late:,} too late to have a predecessor" if self.late else ""
        shared = f"; {self.shared / self.events:.0%} share their user's moment with another" if self.shared else ""
        return (
            f"{self.events:,} events of {self.users:,} users: {self.targets:,} targets, {self.firsts:,} firsts"
            f"{late}{shared}"
        )


def total(ranges: Iterable[Mapping[str, WindowCounts]]) -> dict[str, WindowCounts]:
    """Add the counts of every range of users, by window."""
    totals: dict[str, WindowCounts] = {}
    for windows in ranges:
        for window, counts in windows.items():
            totals[window] = totals.get(window, WindowCounts()) + counts
    return totals


def refuse_loss(rows: int, newcomers: int, windows: Mapping[str, WindowCounts], written: Mapping[str, int]) -> None:
    """See that every event of the night is in one window, and there a target, a first or too late, exactly once.

    Args:
        rows: Events of the night, as the files of table `events` have them.
        newcomers: Users that had no history before the night: each has one first event.
        windows: Counts by window.
        written: Targets in the files that are to be committed to `examples`, and rows in those to `state`; one that
            was committed before is left out.

    Raises:
        RowsLostError: It is not so; every difference is named.
    """
    whole = sum(windows.values(), WindowCounts())
    wanted = {"examples": (whole.targets, "targets"), "state": (whole.users, "rows")}
    problems = [f"{whole.events:,} events reached a window, wanted {rows:,}"] if whole.events != rows else []
    problems += [f"{whole.firsts:,} firsts of {newcomers:,} new users"] if whole.firsts != newcomers else []
    problems += [
        f"window {window}: {counts}; wanted {counts.events - counts.firsts - counts.late:,} targets"
        for window, counts in windows.items()
        if counts.targets != counts.events - counts.firsts - counts.late
    ]
    problems += [
        f"files of table {table!r}: {seen:,} {wanted[table][1]}, wanted {wanted[table][0]:,}"
        for table, seen in written.items()
        if seen != wanted[table][0]
    ]
    if problems:
        listed = "\n  - ".join(problems)
        raise RowsLostError(
            f"Events were lost or doubled on their way to the examples:\n  - {listed}\n"
            "The examples were not published. Run the night again; if it stays, this is a fault of the program."
        )
