"""What is made of a source's columns before they have their types: rows left out, columns computed, lists, arrivals."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from data_contracts.contract import DataContract
from data_contracts.staging import incoming
from tasks.ingest import expressions
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.raw import Names, not_one_value

_INK = r"\S"
_SHOWN = 12
"""Columns that an error names with their types."""


def taken(raw: pl.DataFrame, names: Names, source: SourceConfig) -> pl.DataFrame:
    """Return the rows of a block for which `where` is not false; a broken row is none of which it can tell.

    Raises:
        WrongColumnError: It cannot be worked out, or is neither true nor false.
    """
    if source.where is None:
        return raw
    kept = _worked_out(_as_it_came(raw, names), source.named("where"), source.where)
    if kept.dtype not in (pl.Boolean, pl.Null):
        raise WrongColumnError(f"{source.named('where')} {source.where!r} is {kept.dtype}, wanted true or false")
    return raw.filter(raw["problem"].is_not_null() | kept.cast(pl.Boolean).fill_null(value=True))


def completed(
    raw: pl.DataFrame, names: Names, source: SourceConfig, contract: DataContract, written: datetime | None
) -> pl.DataFrame:
    """Return a block with the contract's columns that no single column of the source becomes.

    A number of a list that was given and cannot be read makes its row broken.

    Args:
        raw: A block, see `tasks.ingest.raw`.
        names: Of its columns.
        source: What is computed, which columns are lists, and whether times are arrivals.
        contract: Of the rows that are wanted.
        written: When the file was, if times are arrivals.

    Raises:
        WrongColumnError: An expression cannot be worked out, or a column of a list holds no numbers.
    """
    columns: list[pl.Series | pl.Expr] = []
    if source.compute:
        came = _as_it_came(raw, names)
        zoned = {own for key, own in names.items() if _is_zoned(raw.schema[key])}
        for name, text in source.compute.items():
            value = _worked_out(came, source.named(f"compute.{name}"), text)
            is_moment = value.dtype == pl.Datetime and not zoned.isdisjoint(expressions.reads(text))
            columns.append((value.dt.replace_time_zone("UTC") if is_moment else value).alias(name))
    if source.arrival:
        moment = pl.lit(written, pl.Datetime("us", "UTC"))
        later = pl.duration(microseconds="source_row") if source.arrival == "order" else pl.duration()
        columns.append((moment + later).alias(contract.time_column))
    whole = raw.with_columns(columns) if columns else raw
    lists = {name: parts for name, parts in source.columns.items() if isinstance(parts, tuple)}
    keys = {own: key for key, own in names.items()} if lists else {}
    for name, parts in lists.items():
        wanted = pl.DataFrame(incoming(contract).empty_table()).schema[name]
        whole = _with_list(whole, name, {part: keys[part] for part in parts}, wanted)
    return whole


def renamed(typed: pl.DataFrame, source: SourceConfig) -> pl.DataFrame:
    """Give values the names that `values` has for them; one that it does not name stays."""
    if not source.values:
        return typed
    return typed.with_columns(pl.col(name).replace(new) for name, new in source.values.items() if new)


def _as_it_came(raw: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Return a block under the source's names. Moments lose their zone, UTC: in SQL one is written without."""
    columns = (pl.col(key).dt.replace_time_zone(None) if _is_zoned(raw.schema[key]) else pl.col(key) for key in names)
    return raw.select(column.alias(own) for column, own in zip(columns, names.values(), strict=True))


def _is_zoned(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Datetime) and kind.time_zone is not None


def _worked_out(came: pl.DataFrame, name: str, text: str) -> pl.Series:
    try:
        return came.with_columns(expressions.parsed(text).alias(name))[name]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        what = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        kinds = {own: str(kind) for own, kind in came.schema.items() if own in expressions.reads(text)}
        seen = ", ".join(f"{own!r} is {kind}" for own, kind in list(kinds.items())[:_SHOWN])
        raise WrongColumnError(
            f"{name} {text!r} cannot be worked out: {what}; {seen}. Where a column is text, "
            "TRY_CAST(rating AS DOUBLE) is its number, and null where it has none"
        ) from error


def _with_list(rows: pl.DataFrame, name: str, parts: dict[str, str], wanted: pl.DataType) -> pl.DataFrame:
    """Add the list of some columns, by the source's name; an empty one is null in it."""
    inner = wanted.inner if isinstance(wanted, pl.List) else wanted
    numbers = [_number(pl.col(key), own, rows.schema[key]).cast(inner, strict=False) for own, key in parts.items()]
    unread = [
        pl.when(_given(pl.col(key), rows.schema[key]) & number.is_null()).then(
            pl.lit(f"{not_one_value(name)}: column {own!r}")
        )
        for (own, key), number in zip(parts.items(), numbers, strict=True)
    ]
    return rows.with_columns(pl.concat_list(numbers).alias(name), problem=pl.coalesce("problem", *unread))


def _number(column: pl.Expr, own: str, kind: pl.DataType) -> pl.Expr:
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise WrongColumnError(f"column {own!r} is {kind}, wanted numbers")
    return column.str.strip_chars() if kind == pl.String else column


def _given(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    return column.str.contains(_INK) if kind == pl.String else column.is_not_null()
