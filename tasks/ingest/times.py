"""Times of any source as moments: us since 1970, UTC."""

from __future__ import annotations

from functools import partial

import polars as pl

from tasks.ingest import iso, pattern
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import TimeUnit
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.zones import localised

_MICROSECONDS: dict[TimeUnit, float] = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
_YEAR_1, _YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000  # us since 1970
_MOMENT = pl.Datetime("us", "UTC")
_NARROW = (pl.Float16, pl.Float32)
"""Of seconds since 1970 a float of 32 bits has every 128th."""


def moment(column: pl.Expr, name: str, raw: pl.DataType, source: SourceConfig) -> pl.Expr:
    """Return a column as moments; null where it cannot be read, or is outside the years 1 to 9999.

    Args:
        column: Of the source.
        name: What it is called.
        raw: Its type. Timestamps with a zone are UTC inside, whatever their zone is called.
        source: How times are written, and the zone of those that say none.

    Raises:
        WrongColumnError: It is numbers, and nothing says of what, or numbers of too few digits.
    """
    return _read(column, name, raw, source).map_batches(_of_a_calendar, return_dtype=_MOMENT, is_elementwise=True)


def _of_a_calendar(moments: pl.Series) -> pl.Series:
    """Take out what is outside the years 1 to 9999. A function of values: as an expression it would be read twice."""
    is_inside = pl.col("moment").to_physical().is_between(_YEAR_1, _YEAR_10000, closed="left")
    return moments.alias("moment").to_frame().select(pl.when(is_inside).then("moment"))["moment"]


def _read(column: pl.Expr, name: str, raw: pl.DataType, source: SourceConfig) -> pl.Expr:
    if isinstance(raw, (pl.Date, pl.Datetime)):
        column = pl.when(column.dt.year().is_between(1, 9999)).then(column)
    if isinstance(raw, pl.Datetime):
        own = column.cast(pl.Datetime("us", raw.time_zone))
        return own.dt.convert_time_zone("UTC") if raw.time_zone else localised(own, source.time_zone)
    if raw == pl.Date:
        return localised(column.cast(pl.Datetime("us")), source.time_zone)
    if raw == pl.Null:
        return column.cast(_MOMENT)
    if raw in _NARROW:
        raise WrongColumnError(f"column {name!r} is {raw}, which has too few digits for times: write Float64 or Int64")
    if source.time_format is not None and (raw == pl.String or raw.is_numeric()):
        by_pattern = partial(pattern.read, pattern=source.time_format, zone=source.time_zone)
        whole = column.cast(pl.Int64, strict=False)  # pandas writes whole numbers of which one is missing as floats
        text = column if raw == pl.String else pl.when(whole == column).then(whole)
        return text.cast(pl.String).map_batches(by_pattern, return_dtype=_MOMENT, is_elementwise=True)
    if source.time_unit != "iso":
        column = column.str.strip_chars() if raw == pl.String else column
        return _since_1970(column, raw, source.time_unit).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if raw != pl.String:
        raise WrongColumnError(f"column {name!r} is {raw}: set {source.named('time_unit')} to s, ms, us or ns")
    return column.map_batches(partial(iso.read, zone=source.time_zone), return_dtype=_MOMENT, is_elementwise=True)


def _since_1970(column: pl.Expr, raw: pl.DataType, unit: TimeUnit) -> pl.Expr:
    """Return us as int64: exactly from whole numbers, rounded from fractions."""
    fractions = column.cast(pl.Float64, strict=False) * _MICROSECONDS[unit]
    fractions = pl.when(fractions.is_between(_YEAR_1, _YEAR_10000, closed="left")).then(fractions)
    fractions = fractions.round().cast(pl.Int64, strict=False)
    if raw.is_float():
        return fractions
    whole = column.cast(pl.Int64, strict=False)
    if raw.is_decimal():
        whole = pl.when(whole == column).then(whole)
    if unit == "ns":
        return pl.coalesce(whole // 1_000, fractions)
    factor = int(_MICROSECONDS[unit])
    inside = whole.is_between(_YEAR_1 // factor, _YEAR_10000 // factor - 1)
    return pl.coalesce(pl.when(inside).then(whole) * factor, fractions)


def wanted(source: SourceConfig) -> str:
    """Say which times are read, for people whose time is not among them."""
    if source.time_format is not None:
        return f"one like {source.time_format!r} ({source.named('time_format')})"
    if source.time_unit != "iso":
        return f"a number of {source.time_unit} since 1970 ({source.named('time_unit')})"
    settings = f"{source.named('time_unit')} and {source.named('time_format')}"
    return f"ISO 8601, such as 2026-11-22T12:00:00Z or 2026-11-22 12:00 (see {settings})"
