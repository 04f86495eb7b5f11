"""From what a source gives to the contract's types. A value that cannot be read is kept aside, with its problem."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from data_contracts.staging import MAX_BYTES, MAX_TEXT_BYTES
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.raw import as_columns, as_text, cut, not_one_value
from tasks.ingest.times import moment

_WHOLE: dict[object, int] = {pl.Float16: 2**11, pl.Float32: 2**24, pl.Float64: 2**53}
"""Up to here every whole number is a float of its own."""
_NEVER: dict[object, tuple[object, ...]] = {pl.String: (pl.Boolean,), pl.Datetime: (pl.Boolean, pl.Time)}
"""Types of which no value is one of the type wanted: true is no id, a time of day no moment."""
_INK = r"\S"
_TYPED = "typed "
"""Stands before the name of a column that has its type, while the column as it came is still beside it."""


def cast(raw: pl.DataFrame, *, schema: pa.Schema, names: Mapping[str, str], source: SourceConfig) -> pl.DataFrame:
    """Give every column of ``schema`` its type.

    Args:
        raw: The source's columns under the contract's names, of any type, and what was made of them; ``source_row``
            (int64), ``original`` (JSON, the row where its columns do not say it all) and ``problem`` (null unless it is
            broken).
        schema: The columns wanted.
        names: Of the columns in ``raw`` that came from the source, see `tasks.ingest.raw`.
        source: How times are written, and what a column takes where the source has none.

    Returns:
        The columns of ``schema``, ``source_row``, ``problem`` and ``original``. Where a value was given and cannot be
        read (a time also outside the years 1 to 9999, a text of more than `MAX_TEXT_BYTES`, bytes of more than
        `MAX_BYTES`) it is null, ``problem``
        names the first such column and ``original`` holds the row as it came, cut, as JSON; so it does for a row of
        JSON that lacks a column which no row may be without.

    Raises:
        WrongColumnError: A column's type can never become the one wanted.
    """
    wanted = pl.DataFrame(pl.from_arrow(schema.empty_table())).schema
    typed = {name: pl.col(f"{_TYPED}{name}") for name in wanted if name in raw.columns}
    read = raw.with_columns(
        _typed(name, raw.schema[name], wanted[name], source).alias(f"{_TYPED}{name}") for name in typed
    )
    problems = [
        pl.when(_given(name, raw.schema[name]) & typed[name].is_null()).then(_problem(name, raw.schema[name]))
        for name in typed
    ]
    marked = read.with_columns(problem=pl.coalesce("problem", *problems))
    has_bad = marked["problem"].null_count() < marked.height
    good = marked.filter(pl.col("problem").is_null()) if has_bad else marked
    filled = {name: _filled(name, typed.get(name), wanted[name], source) for name in wanted}
    columns = [column.alias(name) for name, column in filled.items()]
    lacks = pl.any_horizontal(filled[field.name].is_null() for field in schema if not field.nullable)
    readable = good.select(*columns, "source_row", "problem", original=pl.when(lacks).then(_line()))
    if not has_bad:
        return readable
    bad = marked.filter(pl.col("problem").is_not_null())
    return pl.concat([readable, bad.select(*columns, "source_row", "problem", original=_original(names, raw.schema))])


def _line() -> pl.Expr:
    """Return what was kept of a row that its columns do not say, where that is short."""
    return pl.when(pl.col("original").str.len_bytes() <= MAX_TEXT_BYTES).then("original")


def _original(names: Mapping[str, str], schema: pl.Schema) -> pl.Expr:
    """Return a broken row as it came, cut: what was kept of it, or its columns."""
    kept = pl.col("original")
    is_short = kept.str.len_bytes() <= MAX_TEXT_BYTES
    whole = pl.when(is_short).then(kept).otherwise(pl.struct(cut(kept).alias("line")).struct.json_encode())
    return pl.when(kept.is_null()).then(as_columns(names, schema)).otherwise(whole)


def _problem(name: str, raw: pl.DataType) -> pl.Expr:
    unreadable = pl.lit(not_one_value(name))
    if raw == pl.Binary:
        too_long = pl.lit(f"{name} longer than {MAX_BYTES:,} bytes")
        return pl.when(pl.col(name).bin.size() > MAX_BYTES).then(too_long).otherwise(unreadable)
    if raw != pl.String:
        return unreadable
    too_long = pl.lit(f"{name} longer than {MAX_TEXT_BYTES:,} bytes")
    return pl.when(pl.col(name).str.len_bytes() > MAX_TEXT_BYTES).then(too_long).otherwise(unreadable)


def _filled(name: str, typed: pl.Expr | None, wanted: pl.DataType, source: SourceConfig) -> pl.Expr:
    """Return the column with its default where the source has none; one that is mapped or computed takes none."""
    column = pl.lit(None, wanted) if typed is None else typed
    if name in source.defaults and name not in source.columns and name not in source.compute:
        return column.fill_null(pl.lit(source.defaults[name]).cast(wanted))
    return column


def _given(name: str, raw: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if raw == pl.Binary:
        return column.bin.size() > 0
    return column.str.contains(_INK) if raw == pl.String else column.is_not_null()


def _typed(name: str, raw: pl.DataType, wanted: pl.DataType, source: SourceConfig) -> pl.Expr:
    column = pl.col(name)
    if wanted == pl.Binary:
        if raw not in (pl.Binary, pl.Null):
            raise WrongColumnError(f"column {name!r} is {raw}, wanted {wanted}")
        column = column.cast(pl.Binary)
        return pl.when(column.bin.size().is_between(1, MAX_BYTES)).then(column)
    if isinstance(wanted, pl.List) and _holds_numbers(raw):
        return column.cast(wanted)
    is_list = isinstance(wanted, pl.List) and raw != pl.Null
    if is_list or raw.is_nested() or raw == pl.Duration or raw in _NEVER.get(type(wanted), ()):
        step = f". Name its columns, in their order: {{{name}: [first, second]}}" if is_list else ""
        raise WrongColumnError(f"column {name!r} is {raw}, wanted {wanted}{step}")
    if raw == pl.String:
        column = pl.when(column.str.len_bytes() <= MAX_TEXT_BYTES).then(column)
    if isinstance(wanted, pl.Datetime):
        return moment(column, name, raw, source).cast(wanted)
    if wanted == pl.String:
        text = _text(column, raw)
        return pl.when(text.str.contains(_INK)).then(text)
    if raw == pl.String:
        column = column.str.strip_chars()
    return column.cast(wanted, strict=False)


def _holds_numbers(raw: pl.DataType) -> bool:
    return isinstance(raw, (pl.List, pl.Array)) and isinstance(raw.inner, pl.DataType) and raw.inner.is_numeric()


def _text(column: pl.Expr, raw: pl.DataType) -> pl.Expr:
    """Write a number as it would be written had it come as a whole one: 7.0 is 7, so that an id outlives its type."""
    text = as_text(column, raw)
    if raw.is_decimal():
        return text.str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")
    if not raw.is_float():
        return text
    whole = column.cast(pl.Int64, strict=False)
    text = pl.when(whole == column).then(whole.cast(pl.String)).otherwise(text)
    return pl.when(column.abs() < _WHOLE[type(raw)]).then(text)
