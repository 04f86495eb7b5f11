"""From a file's bytes to blocks of raw rows, a few megabytes at a time. No row is touched by Python.

Every block has the mapped columns under the contract's names, ``source_row`` (rows from 0), ``line`` (the raw line
where its columns do not say it all) and ``problem`` (null unless the row could not even be split into columns).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
from pyarrow import csv

from tasks.ingest import lines, parquet
from tasks.ingest.config import SourceConfig
from tasks.ingest.lines import BLOCK_ROWS, Names
from tasks.ingest.sources import SourceFile

SEQUENCE_START = datetime(2000, 1, 1, tzinfo=UTC)
"""Where sequences begin. Their n-th item stands n us later; only the order means anything."""

_SEQUENCE = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("timestamp", pa.timestamp("us", "UTC"))])


def head(file: SourceFile, source: SourceConfig) -> pa.Schema | None:
    """Return the columns that a file has from its head on; None where only its rows tell (JSON Lines)."""
    if source.format == "parquet":
        return parquet.head(file)
    if source.format == "csv":
        return pa.schema([(name, pa.string()) for name in lines.head(file, _fields(source))])
    return _SEQUENCE if source.format == "sequences" else None


def blocks(file: SourceFile, source: SourceConfig, names: Names) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file in blocks; rows that do not split follow the block that they stood in.

    Args:
        file: Of the source.
        source: How to read it.
        names: Contract column to source column.

    Raises:
        UnreadableFileError, OSError, pyarrow.ArrowInvalid: See `lines.split` and `parquet.rows`.
    """
    for block in _blocks(file, source, names):
        yield from block.iter_slices(BLOCK_ROWS)


def _blocks(file: SourceFile, source: SourceConfig, names: Names) -> Iterator[pl.DataFrame]:
    if source.format == "parquet":
        return parquet.rows(file, names)
    if source.format == "csv":
        return lines.split(file, _fields(source), names)
    whole = lines.split(file, lines.whole(), {"line": "line"}, head=["line"])
    return (_from_json(block, names) if source.format == "jsonl" else _from_sequences(block) for block in whole)


def _fields(source: SourceConfig) -> csv.ParseOptions:
    return lines.fields(separator=source.separator or ",", quoted=source.quoted)


def _from_json(block: pl.DataFrame, names: Names) -> pl.DataFrame:
    line = pl.col("line")
    is_json = line.str.json_path_match("$").is_not_null()
    return block.select(
        *(line.str.json_path_match(_path(column)).alias(name) for name, column in names.items()),
        "source_row",
        "line",
        pl.coalesce("problem", pl.when(~is_json).then(pl.lit("not JSON"))).alias("problem"),
    )


def _path(column: str) -> str:
    if column.startswith("$"):
        return column
    name = column.replace("\\", "\\\\").replace('"', '\\"')
    return f'$["{name}"]'


def _from_sequences(block: pl.DataFrame) -> pl.DataFrame:
    """Separate at blanks alone: other white space may stand in an id."""
    words = pl.col("line").str.strip_chars(" \t").str.replace_all(r"[ \t]+", " ").str.split(" ")
    return (
        block.with_columns(user_id=words.list.first(), item_id=words.list.slice(1))
        .with_columns(timestamp=pl.int_ranges(0, pl.col("item_id").list.len()))
        .explode("item_id", "timestamp", empty_as_null=True)
        .with_columns(
            timestamp=pl.lit(SEQUENCE_START) + pl.duration(microseconds="timestamp"),
            line=pl.when(pl.col("problem").is_not_null()).then("line"),
        )
    )
