"""Which day a night ends on, and which files it leaves for a later one. Plain rules over counts by day."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from datetime import date

Days = Mapping[date | None, int]
"""Rows by day, UTC; None for rows without a time."""

ENOUGH = 0.1
"""Share of the median day's rows that a day must hold to close a window: a few wrong clocks must not."""


def newest_complete_day(days: Days, *, today: date) -> date | None:
    """Return the newest day before ``today`` with at least `ENOUGH` of the median day's rows; None without any."""
    counts = {day: count for day, count in days.items() if day is not None}
    enough = ENOUGH * statistics.median(counts.values()) if counts else 0
    return max((day for day, count in counts.items() if day < today and count >= enough), default=None)


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
