"""Which day a night ends on, and which files it leaves for a later one. Plain rules over counts by day."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import accumulate

Days = Mapping[date | None, int]
"""Rows by day, UTC; None for rows without a time."""

ENOUGH = 0.1
"""Share of the median day's rows that a day must hold to close a window: a few wrong clocks must not."""
QUIET = 0.01
"""Share that a quiet day must hold to be taken as well, when it follows directly."""
STRAY = 0.01
"""Share of all rows that the smallest days may hold together and still not count as days: a wrong clock makes many."""


def newest_complete_day(days: Days, *, today: date) -> date | None:
    """Return the newest day before ``today`` that is full enough, or quiet and directly after such days.

    Full enough is at least `ENOUGH` of the median day's rows, quiet at least `QUIET` of them. None without any.
    """
    counts = {day: count for day, count in days.items() if day is not None and day < today}
    usual = _usual([count for day, count in days.items() if day is not None])
    newest = max((day for day, count in counts.items() if count >= ENOUGH * usual), default=None)
    while newest is not None and counts.get(newest + timedelta(days=1), 0) >= QUIET * usual:
        newest += timedelta(days=1)
    return newest


def _usual(counts: Sequence[int]) -> float:
    """Return the rows of the median day, less the stray ones; 0 without any."""
    counts = sorted(counts)
    stray = STRAY * sum(counts)
    kept = [count for count, together in zip(counts, accumulate(counts), strict=True) if together > stray]
    return statistics.median(kept) if kept else 0


def span(days: Days) -> str:
    """Say from when to when the rows are."""
    known = [day for day in days if day is not None]
    if not days:
        return "there are no rows in them"
    return f"their events are of {min(known)} to {max(known)}" if known else "no time in them can be read"


def median_day(days: Days) -> date | None:
    """Return the day of the median event, the earlier one of two; None when no row has a time."""
    counts = sorted((day, count) for day, count in days.items() if day is not None)
    half = sum(count for _, count in counts) / 2
    passed = 0
    for day, count in counts:
        passed += count
        if passed >= half:
            return day
    return None


def added(*many: Days) -> Counter[date | None]:
    """Add counts up."""
    total: Counter[date | None] = Counter()
    for days in many:
        total.update(days)
    return total
