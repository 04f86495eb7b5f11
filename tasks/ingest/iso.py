"""ISO 8601 and RFC 3339 as producers write them. No row is touched by Python."""

from __future__ import annotations

import polars as pl

from tasks.ingest import iso_alike
from tasks.ingest.zones import localised

_PARTS = (
    r"^(?P<day>[0-9]{4}[0-9/-]{4,6})"
    r"(?:[Tt ] *(?P<clock>[0-9:]+)(?:[.,](?P<fraction>[0-9]{1,6})[0-9]*)?"
    r"(?:(?P<zone>[^0-9\[][^\[]*)(?:\[[^\]]+\])*)?)?$"
)
"""Where each part ends is seen at its next character, so a text is looked through once; the parts are checked alone.
What stands in brackets is the name of a zone, ``[Etc/GMT+5]``, and may look like an offset, even the opposite one."""
_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_CLOCK = r"^(?:[0-9]{1,2}:[0-5][0-9](?::(?:[0-5][0-9]|60))?|[0-9]{2}(?:[0-5][0-9](?:[0-5][0-9]|60)?)?)$"
_OFFSET = r"([+\x{2212}-])([01][0-9]|2[0-3]):?([0-5][0-9])?"
_ZONE = rf"^ *(?:[Zz]|(?i:utc|gmt)|{_OFFSET}(?: +[A-Za-z]{{1,5}})?)$"
_LEAP, _HHMM = 60, 4
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def read(texts: pl.Series, zone: str) -> pl.Series:
    """Read moments.

    Args:
        texts: Strings: a day, ``2026-11-20``, ``20261120`` or ``2026/11/20``, alone (its first moment is meant) or with
            ``T``, ``t`` or blanks and ``10:00:00``, ``10:00``, ``100000``, ``1000`` or ``10``; seconds may have a
            fraction after a point or a comma; then no zone, or ``Z``, ``UTC`` or ``GMT`` in either case, or ``+05:30``,
            ``+0530`` or ``+05``, which a name may follow that does not count: ``+01:00[Europe/Berlin]``, ``+0100 CET``.
            Not even where it says something else: ``Z[GMT+05:00]``.
        zone: IANA name of the zone of times that say none.

    Returns:
        us since 1970, UTC, cut (not rounded) to the microsecond. ``24:00`` is the first moment of the next day, a leap
        second (``23:59:60`` in UTC, on any day) the second after it. Null where a text is of no such form, or names a
        moment that there is not.
    """
    alike = iso_alike.read(texts, zone)
    if alike is not None:
        return alike
    parts = texts.str.strip_chars().str.extract_groups(_PARTS).struct.unnest()
    parts = parts.with_columns(clock=_clock())
    local = parts.select(
        "zone", local=_midnight() + _of_day(), offset=_offset(), is_leap=pl.col("clock") % 100 == _LEAP
    )
    moment = pl.coalesce(
        (pl.col("local") - pl.col("offset")).cast(pl.Datetime("us", "UTC")),
        localised(pl.when(pl.col("zone").is_null()).then(pl.col("local").cast(pl.Datetime("us"))), zone),
    )
    is_moment = ~pl.col("is_leap") | (moment.dt.time() < pl.time(0, 0, 1))
    return local.select(moment=pl.when(is_moment).then(moment))["moment"]


def _midnight() -> pl.Expr:
    day = pl.coalesce(pl.col("day").str.to_date(form, strict=False) for form in _DAYS)
    return day.cast(pl.Int64) * _DAY


def _clock() -> pl.Expr:
    """Return ``9:05`` as 90500, 0 where none is, null where it is none; only seconds have fractions."""
    digits = pl.col("clock").str.replace_all(":", "", literal=True)
    even = pl.when(digits.str.len_bytes() % 2 == 1).then("0" + digits).otherwise(digits)
    hhmmss = even.str.pad_end(6, "0").cast(pl.Int64, strict=False)
    is_clock = pl.col("clock").str.contains(_CLOCK) & (pl.col("fraction").is_null() | (digits.str.len_bytes() > _HHMM))
    return pl.when(is_clock).then(hhmmss).when(pl.col("clock").is_null()).then(0)


def _of_day() -> pl.Expr:
    clock, fraction = pl.col("clock"), pl.col("fraction").str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    of_day = clock // 10_000 * _HOUR + clock // 100 % 100 * _MINUTE + clock % 100 * _SECOND + fraction
    return pl.when(of_day <= _DAY).then(of_day)


def _offset() -> pl.Expr:
    """Return us ahead of UTC; null where no zone is said, or none such."""
    zone = pl.col("zone")
    hours, minutes = (zone.str.extract(_OFFSET, group).cast(pl.Int64).fill_null(0) for group in (2, 3))
    sign = pl.when(zone.str.contains("+", literal=True)).then(1).otherwise(-1)
    return pl.when(zone.str.contains(_ZONE)).then(sign * (hours * _HOUR + minutes * _MINUTE))
