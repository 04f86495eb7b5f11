"""Which days are over and whole. Plain rules over counts by day."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from datetime import date
from itertools import accumulate

Days = Mapping[date, int]
"""Rows by day."""

STRAY = 0.01
"""Share of all rows that the smallest days may hold together and still not count: a wrong clock makes many."""


def usual_day(days: Days) -> float:
    """Return the rows of the median day, less the stray ones; 0 without any."""
    counts = sorted(days.values())
    stray = STRAY * sum(counts)
    kept = [count for count, together in zip(counts, accumulate(counts), strict=True) if together > stray]
    return statistics.median(kept) if kept else 0


def newest_whole_day(days: Days, *, over: date, is_whole: Callable[[date], bool]) -> date | None:
    """Return the newest day that has rows, is over and is whole; None without any.

    Args:
        days: Rows by day.
        over: The last day that is over.
        is_whole: Asked of days that are over, the newest first.
    """
    return next((day for day in sorted(days, reverse=True) if day <= over and days[day] and is_whole(day)), None)


def span(days: Days) -> str:
    """Say from when to when the rows are."""
    return f"their rows are of {min(days)} to {max(days)}" if days else "there is no row in them"
