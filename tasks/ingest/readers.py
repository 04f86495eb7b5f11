"""From a file's bytes to blocks of raw rows, a few megabytes at a time. No row is touched by Python.

Every block has the mapped columns under the contract's names, ``source_row`` (rows from 0), ``line`` (the raw line
where there is one) and ``problem`` (null unless the row could not even be split into columns).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UnreadableFileError

BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_ROWS = 256 * 1024
SEQUENCE_START = datetime(2000, 1, 1, tzinfo=UTC)
"""Where sequences begin. Their n-th item stands n us later; only the order means anything."""

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_NEVER_IN_TEXT = "\x1f"  # separates nothing: the whole line is one field
_LINES_IN_ONE_ROW = 1_000
_SEQUENCE_COLUMNS = ["user_id", "item_id", "timestamp"]

Names = Mapping[str, str]


def column_names(uri: str, source: SourceConfig) -> list[str] | None:
    """Return the columns that a file names at its head; None where the format has no head."""
    if source.format == "parquet":
        with fsspec.open(uri, "rb") as file:
            return list(pq.ParquetFile(file).schema_arrow.names)
    if source.format == "csv":
        parse = _parse_options(source)
        parse.invalid_row_handler = lambda row: "skip"  # noqa: ARG005
        with _open(uri) as file:
            return list(csv.open_csv(file, parse_options=parse).schema.names)
    return _SEQUENCE_COLUMNS if source.format == "sequences" else None


def blocks(uri: str, source: SourceConfig, names: Names) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file in blocks; rows that do not split follow the block that they stood in.

    Args:
        uri: Of the file.
        source: How to read it.
        names: Contract column to source column.

    Raises:
        UnreadableFileError: A quote is opened and not closed.
        OSError: The file is truncated or damaged.
        pyarrow.ArrowInvalid: It is not of the format, or not UTF-8.
    """
    if source.format == "parquet":
        yield from _parquet(uri, names)
    elif source.format == "csv":
        yield from _split(uri, _parse_options(source), names)
    else:
        whole_line = csv.ParseOptions(delimiter=_NEVER_IN_TEXT, quote_char=False, double_quote=False)
        for block in _split(uri, whole_line, {"line": "line"}, head=["line"]):
            yield _from_json(block, names) if source.format == "jsonl" else _from_sequences(block)


@contextmanager
def _open(uri: str) -> Iterator[pa.NativeFile]:
    with fsspec.open(uri, "rb") as raw:
        file = pa.PythonFile(raw, mode="r")
        codec = _CODECS.get(posixpath.splitext(uri)[1])
        yield pa.CompressedInputStream(file, codec) if codec else file


def _parse_options(source: SourceConfig) -> csv.ParseOptions:
    return csv.ParseOptions(
        delimiter=source.separator or ",",
        quote_char='"' if source.quoted else False,
        newlines_in_values=source.quoted,
    )


def _split(uri: str, parse: csv.ParseOptions, names: Names, *, head: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Split lines into columns of text; ``head`` names the columns of a file that does not."""
    malformed: dict[int, str] = {}
    first_row = 2 if head is None else 1  # what Arrow calls the first row of data

    def keep(row: csv.InvalidRow) -> str:
        malformed[row.number - first_row] = row.text
        return "skip"

    parse.invalid_row_handler = keep
    read = csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=head)
    convert = csv.ConvertOptions(
        include_columns=list(names.values()),
        column_types=dict.fromkeys(names.values(), pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    start = 0
    with _open(uri) as file:
        for batch in csv.open_csv(file, read_options=read, parse_options=parse, convert_options=convert):
            _refuse_an_open_quote(malformed)
            rows = np.arange(start, start + batch.num_rows + len(malformed), dtype=np.int64)
            rows = np.setdiff1d(rows, list(malformed), assume_unique=True)[: batch.num_rows]
            start = int(rows[-1]) + 1 if len(rows) else start
            columns = {name: pl.from_arrow(batch[column]) for name, column in names.items()}
            yield _block(columns, source_row=rows)
            passed = {row: malformed.pop(row) for row in sorted(malformed) if row < start}
            yield _malformed(passed, names)
    _refuse_an_open_quote(malformed)
    yield _malformed(malformed, names)


def _block(columns: Mapping[str, object], *, source_row: object) -> pl.DataFrame:
    nothing = pl.lit(None, pl.String)
    block = pl.DataFrame({**columns, "source_row": source_row}, schema_overrides={"source_row": pl.Int64})
    return block.with_columns(nothing.alias(name) for name in ("line", "problem") if name not in columns)


def _malformed(rows: Mapping[int, str], names: Names) -> pl.DataFrame:
    text = pl.Series("line", list(rows.values()), pl.String)
    block = _block({name: pl.Series([None] * len(rows), dtype=pl.String) for name in names}, source_row=list(rows))
    return block.with_columns(
        pl.DataFrame(text).select(pl.struct("line").struct.json_encode()).to_series().alias("line"),
        pl.lit("wrong number of columns").alias("problem"),
    )


def _refuse_an_open_quote(malformed: Mapping[int, str]) -> None:
    for row, text in malformed.items():
        if text.count("\n") > _LINES_IN_ONE_ROW:
            raise UnreadableFileError(
                f"row {row:,} opens a quote and does not close it for {_LINES_IN_ONE_ROW:,} lines; where quotes are "
                "ordinary characters, set source.quoted to false"
            )


def _from_json(block: pl.DataFrame, names: Names) -> pl.DataFrame:
    line = pl.col("line")
    readable = line.str.json_path_match("$").is_not_null()
    return block.select(
        *(line.str.json_path_match(_path(column)).alias(name) for name, column in names.items()),
        "source_row",
        pl.when(readable).then(line).otherwise(pl.struct(line).struct.json_encode()).alias("line"),
        pl.coalesce("problem", pl.when(~readable).then(pl.lit("not JSON"))).alias("problem"),
    )


def _path(column: str) -> str:
    if column.startswith("$"):
        return column
    name = column.replace("\\", "\\\\").replace('"', '\\"')
    return f'$["{name}"]'


def _from_sequences(block: pl.DataFrame) -> pl.DataFrame:
    words = pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    return (
        block.with_columns(user_id=words.list.first(), item_id=words.list.slice(1))
        .with_columns(timestamp=pl.int_ranges(0, pl.col("item_id").list.len()))
        .explode("item_id", "timestamp", empty_as_null=True)
        .with_columns(timestamp=pl.lit(SEQUENCE_START) + pl.duration(microseconds="timestamp"))
    )


def _parquet(uri: str, names: Names) -> Iterator[pl.DataFrame]:
    start = 0
    with fsspec.open(uri, "rb") as file:
        batches = pq.ParquetFile(file).iter_batches(batch_size=BLOCK_ROWS, columns=list(names.values()))
        for batch in batches:
            columns = {name: pl.from_arrow(batch[column]) for name, column in names.items()}
            yield _block(columns, source_row=np.arange(start, start + batch.num_rows))
            start += batch.num_rows
