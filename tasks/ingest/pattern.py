"""Times by a pattern of the source's own (`source.time_format`), as ``strptime`` has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from tasks.ingest.zones import localised

_PROBES = (datetime(2026, 11, 22, 13, 14, 15, tzinfo=UTC), datetime(1999, 2, 3, 4, 5, 6, tzinfo=UTC))
"""Written and read back, they show what a pattern loses; no part of one can be taken for another."""
_ZONED = re.compile(r"%[:#]*z|%\+")
_DIGITS = "^[0-9]+$"
_REFUSED = {
    "%Z": "%Z is a name that many zones share: use %z for offsets, or write the name as it stands and set time_zone",
    "%s": "%s is a number: set time_unit to s",
    "%f": "%f stands after a point only (%S.%f); a fixed number of digits is %3f, %6f or %9f",
}


def problem_of(pattern: str) -> str | None:
    """Say why ``pattern`` cannot be used: it is none, or days would be lost in it. None for one that can."""
    said = [why for directive, why in _REFUSED.items() if directive in _polars(pattern)]
    if said:
        return f"time_format {pattern!r}: {'; '.join(said)}"
    try:
        written = _written(pattern)
        days = _parsed(written, pattern).dt.date().to_list()
    except pl.exceptions.PolarsError as error:
        return f"time_format {pattern!r} is no strptime pattern: {str(error).splitlines()[0]}"
    if days != [probe.date() for probe in _PROBES]:
        return (
            f"time_format {pattern!r} must say the year, the month and the day, and read what it writes; "
            f"it writes {written[0]!r} for {_PROBES[0]:%Y-%m-%d %H:%M:%S} and reads {days[0]}"
        )
    return None


def says_zone(pattern: str) -> bool:
    """Whether times of this pattern carry their offset from UTC."""
    return _ZONED.search(pattern) is not None


def read(texts: pl.Series, pattern: str, zone: str) -> pl.Series:
    """Read moments, us since 1970, UTC; null where a text is not as ``pattern`` says.

    Digits alone must be as many as the pattern writes: a number has lost its zeros in front, and 10126, once 010126,
    would be read as another day.

    Args:
        texts: Strings; blanks around them do not count.
        pattern: One in which `problem_of` sees none.
        zone: IANA name of the zone of times whose pattern has no ``%z``.
    """
    texts = texts.str.strip_chars()
    is_whole = ~texts.str.contains(_DIGITS) | texts.str.len_bytes().is_in(_written(pattern).str.len_bytes().implode())
    moments = _parsed(texts.set(~is_whole, None), pattern)
    if says_zone(pattern):
        return moments
    return moments.to_frame("local").select(localised(pl.col("local"), zone))["local"]


def _written(pattern: str) -> pl.Series:
    moments = pl.Series(_PROBES, dtype=pl.Datetime("us", "UTC"))
    return moments.dt.strftime(_polars(pattern, write=True)).str.strip_chars()


def _parsed(texts: pl.Series, pattern: str) -> pl.Series:
    zone = "UTC" if says_zone(pattern) else None
    return texts.str.to_datetime(_polars(pattern), time_unit="us", time_zone=zone, strict=False)


def _polars(pattern: str, *, write: bool = False) -> str:
    """Return ``pattern`` as Polars has it: fractions with their point, offsets of every form (it writes one)."""
    pattern = pattern.replace(".%f", "%.f")
    return pattern if write else re.sub("%:?z", "%#z", pattern)
