"""Count what went in and what came out: no event may be lost, none may be a target twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.preprocess.errors import RowsLostError


@dataclass(frozen=True)
class WindowCounts:
    """What one window held.

    Attributes:
        events: Events handed over.
        users: Users among them.
        targets: Targets in the examples.
        firsts: Events without a predecessor, which are nobody's target: a user's very first, and late ones that lie
            before the last L that are remembered of the user.
    """

    events: int = 0
    users: int = 0
    targets: int = 0
    firsts: int = 0

    def __add__(self, other: WindowCounts) -> WindowCounts:
        """Add the counts of other users in the same window."""
        return WindowCounts(
            self.events + other.events,
            self.users + other.users,
            self.targets + other.targets,
            self.firsts + other.firsts,
        )

    def __str__(self) -> str:
        return f"{self.events:,} events of {self.users:,} users: {self.targets:,} targets, {self.firsts:,} firsts"


def total(ranges: Iterable[Mapping[str, WindowCounts]]) -> dict[str, WindowCounts]:
    """Add the counts of every range of users, by window."""
    totals: dict[str, WindowCounts] = {}
    for windows in ranges:
        for window, counts in windows.items():
            totals[window] = totals.get(window, WindowCounts()) + counts
    return totals


def refuse_loss(rows: int, windows: Mapping[str, WindowCounts]) -> None:
    """See that every event is in one window, and there a target or a first, exactly once.

    Args:
        rows: Events of the night, as table `events` counts them.
        windows: Counts by window.

    Raises:
        RowsLostError: It is not so; every difference is named.
    """
    events = sum(counts.events for counts in windows.values())
    problems = [f"{events:,} events reached a window, wanted {rows:,}"] if events != rows else []
    problems += [
        f"window {window}: {counts}; wanted {counts.events - counts.firsts:,} targets"
        for window, counts in windows.items()
        if counts.targets != counts.events - counts.firsts
    ]
    if problems:
        listed = "\n  - ".join(problems)
        raise RowsLostError(
            f"Events were lost or doubled between table 'events' and the examples:\n  - {listed}\n"
            "The examples were not published. Run the night again; if it stays, this is a fault of the program."
        )
