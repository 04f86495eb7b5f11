"""Which window a night opens: windows are cut out of the rows by time, and follow each other without a gap."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import fsspec

from data_contracts.night import Window
from tasks.validate.config import ValidationConfig
from tasks.validate.days import Days, newest_whole_day, span, usual_day
from tasks.validate.errors import EmptyDayError, NoCompleteDayError

log = logging.getLogger(__name__)

DAYS_COMPARED = 28
"""Days before a window that say what a usual day is."""


def next_window(
    days: Days, *, end: date | None, asked: date | None, config: ValidationConfig, now: datetime
) -> Window | None:
    """Return the window from the end of the last one to the newest whole day; None when no day can be closed yet.

    Args:
        days: Rows by day: those in the table, and tonight's.
        end: Last day of the newest window, if there is one.
        asked: Last day to take, whole or not; the newest whole day when None.
        config: When a day is whole.
        now: By this machine's clock, in the zone whose days these are.

    Raises:
        NoCompleteDayError: There is no window yet, and no day is whole.
        EmptyDayError: No row is of the day asked for.
    """
    if asked is not None and end is not None and asked <= end:
        log.info("The tables end on %s: the window of %s is closed already.", end, asked)
        return None
    waiting = {day: count for day, count in days.items() if end is None or day > end}
    compared = {day: count for day, count in days.items() if end is None or day > end - timedelta(days=DAYS_COMPARED)}
    last_day = _asked_day(waiting, asked) if asked else _newest_day(waiting, usual_day(compared), end, config, now)
    if last_day is None:
        return None
    return Window(first_day=min(waiting) if end is None else end + timedelta(days=1), last_day=last_day)


def _asked_day(waiting: Days, asked: date) -> date:
    if waiting.get(asked):
        return asked
    raise EmptyDayError(
        f"no row of {asked}, the day asked for; of those in no window yet {span(waiting)}. Nothing was published. "
        "Wait for the files of that day, or leave `through` out."
    )


def _newest_day(waiting: Days, usual: float, end: date | None, config: ValidationConfig, now: datetime) -> date | None:
    graced = now.astimezone(UTC) - timedelta(hours=config.grace_hours)  # hours gone by, whatever clocks were set to
    over = graced.astimezone(now.tzinfo).date() - timedelta(days=1)
    is_whole = _by_marker(config.complete_marker) if config.complete_marker else _by_share(waiting, usual, over, config)
    last_day = newest_whole_day(waiting, over=over, is_whole=is_whole)
    if last_day is not None:
        return last_day
    why = (
        f"{span(waiting)}; a day is whole once it is over by this machine's clock ({now:%F %R} {now.tzinfo}, "
        f"validation.grace_hours {config.grace_hours:g}) and {_wanted(usual, config)}"
    )
    if end is None:
        raise NoCompleteDayError(
            f"no whole day yet in the files: {why}. Nothing was published. Wait for the day to end, or see the clock, "
            "source.columns and source.time_unit."
        )
    if waiting:
        log.info("No day after %s, on which the tables end, can be closed yet: %s.", end, why)
    return None


def _by_share(days: Days, usual: float, over: date, config: ValidationConfig) -> Callable[[date], bool]:
    """A day is whole when it has enough of a usual day; or when a later one, that is over, has enough of its own.

    So traffic that falls for good is late by one day, and does not wait until four weeks are as low.
    """

    def is_whole(day: date) -> bool:
        later = (count for other, count in days.items() if day < other <= over)
        return days[day] >= config.complete_day * usual or max(later, default=-1) >= config.complete_day * days[day]

    return is_whole


def _by_marker(marker: str) -> Callable[[date], bool]:
    def exists(day: date) -> bool:
        system, path = fsspec.url_to_fs(day.strftime(marker))
        return bool(system.exists(path))

    return exists


def _wanted(usual: float, config: ValidationConfig) -> str:
    if config.complete_marker:
        return f"its marker is there (validation.complete_marker {config.complete_marker!r})"
    return (
        f"has {config.complete_day * usual:,.0f} rows, {config.complete_day:.0%} of a usual day's "
        "(validation.complete_day)"
    )
