"""What readers hand on: blocks of raw rows, and beside them the rows that could not be read at all.

A block has the mapped columns under the contract's names, those that only expressions and lists read under names of
their own (`helper`), ``source_row`` (rows from 0), ``original`` (the row as it came, JSON, where its columns do not say
it all) and ``problem`` (null unless the row is broken already).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence

import orjson
import polars as pl

from data_contracts.staging import MAX_TEXT_BYTES, bytes_as_text
from tasks.ingest.encodings import UTF_8, is_utf_8

BLOCK_ROWS = 256 * 1024
"""Rows handed on at a time, at most."""

Names = Mapping[str, str]
"""Contract column, or `helper`, to source column; no source column comes twice."""

MARK = "\U0010fffe\U0010ffff"
"""Stands before each byte that is no UTF-8. Unicode gives these two no meaning: no honest text has them."""

_CUT = 256
"""Characters kept of a longer text."""
ESCAPED = "nightshift.escaped"
"""For codecs: bytes that cannot be decoded become text, see `escaped`."""


_HELPER = "$"
"""No column of a contract begins so."""


def helper(column: str) -> str:
    """Return the name in a block of a source column that becomes no column of the contract by itself."""
    return f"{_HELPER}{column}"


def shown(name: str) -> str:
    """Return what people call a column of a block."""
    return name.removeprefix(_HELPER)


def not_one_value(name: str) -> str:
    """Say of a column that its value is of another kind than the one wanted, or cannot be read as that."""
    return f"{shown(name)} unparseable"


def block(columns: Mapping[str, object], *, source_row: object) -> pl.DataFrame:
    """Return a block of ``columns``, with ``original`` and ``problem`` null where they are not given."""
    nothing = pl.lit(None, pl.String)
    frame = pl.DataFrame({**columns, "source_row": source_row}, schema_overrides={"source_row": pl.Int64})
    return frame.with_columns(nothing.alias(name) for name in ("original", "problem") if name not in columns)


def broken(lines: Sequence[str], *, source_row: object, problem: Sequence[str], names: Iterable[str]) -> pl.DataFrame:
    """Return a block of rows of which nothing but their ``lines`` is known."""
    columns = {name: pl.Series([None] * len(lines), dtype=pl.String) for name in names}
    original = pl.Series([as_json(line) for line in lines], dtype=pl.String)
    told = {"original": original, "problem": pl.Series(problem, dtype=pl.String)}
    return block(columns | told, source_row=source_row)


def escaped(data: bytes) -> str:
    r"""Return ``data`` as text; a byte that is no UTF-8 becomes `MARK` and ``\xff``."""
    return data.decode(UTF_8, ESCAPED)


def is_utf8(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8: half a surrogate, or a byte that Python could not decode, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"{MARK}\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPED, _escape)


def undecodable(name: str, encoding: str = UTF_8) -> str:
    """Say of a column, or a line, that it has bytes which its encoding does not know."""
    return f"{shown(name)} is not {'UTF-8' if is_utf_8(encoding) else encoding}"


def without_marked(rows: pl.DataFrame, names: Names, encoding: str = UTF_8) -> pl.DataFrame:
    """Take out values that `MARK` says cannot be decoded; their rows keep the bytes in ``original``."""
    texts = [name for name in names if rows.schema[name] == pl.String]
    is_marked = {name: pl.col(name).str.contains(MARK, literal=True) for name in texts}
    problems = [pl.when(marked).then(pl.lit(undecodable(name, encoding))) for name, marked in is_marked.items()]
    return rows.with_columns(
        *(pl.when(~marked).then(pl.col(name)).alias(name) for name, marked in is_marked.items()),
        original=pl.when(pl.any_horizontal(is_marked.values()))
        .then(as_columns(names, rows.schema))
        .otherwise("original"),
        problem=pl.coalesce("problem", *problems),
    )


def as_columns(names: Names, schema: pl.Schema) -> pl.Expr:
    """Write the columns of a row as JSON under the source's names, long texts cut, bytes in base64."""
    values = (_as_member(pl.col(name), schema[name]) for name in names)
    return pl.struct(value.alias(own) for value, own in zip(values, names.values(), strict=True)).struct.json_encode()


def _as_member(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Binary:
        return bytes_as_text(column)
    return column if kind.is_nested() else cut(as_text(column, kind))


def as_text(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Write values as text; spans, and days and moments so far off that Polars has no year for them, as numbers."""
    if kind == pl.Duration:
        return column.to_physical().cast(pl.String)
    if not isinstance(kind, (pl.Date, pl.Datetime)):
        return column.cast(pl.String, strict=False)
    shown = pl.when(column.dt.year().is_not_null()).then(column)
    return pl.coalesce(shown.cast(pl.String), column.to_physical().cast(pl.String))


def as_json(line: str) -> str:
    """Write a line that is no JSON as JSON, cut."""
    line = line.replace(MARK, "")
    kept = line if len(line.encode()) <= MAX_TEXT_BYTES else f"{line[:_CUT]}…"
    return orjson.dumps({"line": kept}).decode()


def cut(text: pl.Expr) -> pl.Expr:
    """Cut a text of more than `MAX_TEXT_BYTES`; its marks go."""
    kept = pl.when(text.str.len_bytes() <= MAX_TEXT_BYTES).then(text).otherwise(text.str.head(_CUT) + "…")
    return kept.str.replace_all(MARK, "", literal=True)
