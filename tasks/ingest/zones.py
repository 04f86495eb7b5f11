"""From the time that a clock on a wall shows to the moment it is."""

from __future__ import annotations

import polars as pl

_HOUR = pl.duration(hours=1)


def localised(local: pl.Expr, zone: str) -> pl.Expr:
    """Return the moments, UTC, at which clocks in ``zone`` (an IANA name) show ``local`` (us, without a zone).

    Of an hour that comes twice, in autumn, the first is meant: summer time. A time that is skipped, in spring, is no
    moment: null, so that a wrong zone is seen. Only a midnight that is skipped is the day's first moment, 01:00: it may
    stand for a day alone.
    """
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    shown = pl.when(local.dt.time() == pl.time(0)).then(local + _HOUR)
    return pl.coalesce(_moment(local, zone), _moment(shown, zone)).dt.convert_time_zone("UTC")


def _moment(local: pl.Expr, zone: str) -> pl.Expr:
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
