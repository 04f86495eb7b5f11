"""Days of a zone: when each begins and ends, and of which one a moment is. Whoever cuts by days, cuts here.

The zone is one of a workspace, `Workspace.day_zone`, an IANA name. A day has 23 or 25 hours where clocks are set anew.
"""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator

if TYPE_CHECKING:
    import polars as pl


def problem_of(zone: str) -> str | None:
    """Say what is wrong with the name of a zone: nothing (None), or that there is none of that name."""
    import polars as pl

    try:
        ZoneInfo(zone)
        pl.select(pl.lit(datetime(2000, 1, 1)).dt.convert_time_zone(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError, pl.exceptions.PolarsError):
        is_name = False
    else:
        is_name = not zone.startswith(("+", "-"))
    if is_name:
        return None
    near = difflib.get_close_matches(zone, available_timezones())
    hint = f"; near it are {', '.join(near)}" if near else ""
    return f"{zone!r} is no IANA name, such as Europe/Berlin or Etc/GMT-2 (two hours ahead of UTC){hint}"


def _is_known(zone: str) -> str:
    if problem := problem_of(zone):
        raise ValueError(f"{problem}.")
    return zone


Zone = Annotated[str, AfterValidator(_is_known)]
"""IANA name of a zone."""


def start_of(day: date, zone: str) -> datetime:
    """Return the first instant of a day, as UTC: 01:00 by the zone's clocks where they skip midnight."""
    return _as_utc(datetime.combine(day, time.min, ZoneInfo(zone)))


def end_of(day: date, zone: str) -> datetime:
    """Return the last instant of a day, as UTC: a microsecond before the next one begins.

    But for a few nights in which clocks went back over midnight (Newfoundland, until 2010): two days then take turns.
    """
    return _as_utc(datetime.combine(day, time.max.replace(fold=1), ZoneInfo(zone)))


def day_of(moment: datetime, zone: str) -> date:
    """Return the day that calendars in a zone show at ``moment``, which has a zone of its own."""
    return moment.astimezone(ZoneInfo(zone)).date()


def days_of(moments: pl.Expr, zone: str) -> pl.Expr:
    """Return the days (date) that calendars in a zone show at ``moments`` (us, UTC); null where there is none."""
    return moments.dt.convert_time_zone(zone).dt.date()


def _as_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999: as far as moments reach
        return moment.replace(tzinfo=UTC)
