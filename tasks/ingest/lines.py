"""Lines of text split into columns, block by block; what does not split is kept beside them, and bounded."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import csv

from data_contracts.staging import MAX_TEXT_BYTES
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.sources import SourceFile

BLOCK_BYTES = 8 * 1024 * 1024
"""Read at a time, and so the longest row of text."""

BLOCK_ROWS = 256 * 1024
"""Rows handed on at a time, at most."""

Names = Mapping[str, str]
"""Contract column to source column."""

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_NEVER_IN_TEXT = "\x1f"  # separates nothing: the whole line is one field
_WITHOUT_HEAD, _BELOW_HEAD = 1, 2  # what Arrow calls the first row of data
_LINES_IN_ONE_ROW = 1_000
_MALFORMED_BYTES = 8 * BLOCK_BYTES
_BYTES_BESIDE = 200  # what a row costs in memory beside its text


def fields(*, separator: str, quoted: bool) -> csv.ParseOptions:
    """Split lines at ``separator``; a row in quotes may be of several lines."""
    return csv.ParseOptions(delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=quoted)


def whole() -> csv.ParseOptions:
    """Leave every line as it is."""
    return csv.ParseOptions(delimiter=_NEVER_IN_TEXT, quote_char=False, double_quote=False)


def head(file: SourceFile, parse: csv.ParseOptions) -> list[str]:
    """Return the columns that the first line names.

    Raises:
        UnreadableFileError, OSError, pyarrow.ArrowInvalid: See `split`.
    """
    malformed = _Malformed(first_row=_BELOW_HEAD)
    with _open(file) as raw, malformed.heard(parse):
        names: list[str] = csv.open_csv(raw, read_options=_read_options(), parse_options=parse).schema.names
    return names


def split(
    file: SourceFile, parse: csv.ParseOptions, names: Names, *, head: list[str] | None = None
) -> Iterator[pl.DataFrame]:
    """Split lines into columns of text; rows that do not split follow the block that they stood in.

    Args:
        file: Of text.
        parse: From `fields` or `whole`.
        names: The columns wanted.
        head: Names the columns of a file that does not name them itself.

    Raises:
        UnreadableFileError: A quote is opened and not closed, a row is longer than a block, or too many do not split.
        OSError: The file is truncated or damaged.
        pyarrow.ArrowInvalid: It is not UTF-8.
    """
    malformed = _Malformed(first_row=_BELOW_HEAD if head is None else _WITHOUT_HEAD)
    convert = csv.ConvertOptions(
        include_columns=list(names.values()),
        column_types=dict.fromkeys(names.values(), pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    start = 0
    with _open(file) as raw, malformed.heard(parse):
        for batch in csv.open_csv(raw, read_options=_read_options(head), parse_options=parse, convert_options=convert):
            rows = np.arange(start, start + batch.num_rows + len(malformed.rows), dtype=np.int64)
            rows = np.setdiff1d(rows, list(malformed.rows), assume_unique=True)[: batch.num_rows]
            start = int(rows[-1]) + 1 if len(rows) else start
            yield block({name: pl.from_arrow(batch[column]) for name, column in names.items()}, source_row=rows)
            yield malformed.before(start, names)
    yield malformed.before(None, names)


def is_ended(file: SourceFile) -> bool:
    """Whether the last line ends with a line break; a compressed file says by itself whether it is whole."""
    if posixpath.splitext(file.name)[1] in _CODECS:
        return True
    with file.open() as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - 1))
        return size == 0 or raw.read() in (b"\n", b"\r")


def block(columns: Mapping[str, object], *, source_row: object) -> pl.DataFrame:
    """Return a block of ``columns``, with ``line`` and ``problem`` null where they are not given."""
    nothing = pl.lit(None, pl.String)
    frame = pl.DataFrame({**columns, "source_row": source_row}, schema_overrides={"source_row": pl.Int64})
    return frame.with_columns(nothing.alias(name) for name in ("line", "problem") if name not in columns)


@contextmanager
def _open(file: SourceFile) -> Iterator[pa.NativeFile]:
    with file.open() as raw:
        packed = pa.PythonFile(raw, mode="r")
        codec = _CODECS.get(posixpath.splitext(file.name)[1])
        yield pa.CompressedInputStream(packed, codec) if codec else packed


def _read_options(head: list[str] | None = None) -> csv.ReadOptions:
    return csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=head)


class _Malformed:
    """Rows that do not split, as Arrow comes upon them. It reads on until one does: without a bound, a whole file.

    Attributes:
        rows: Row number to the text of the row, cut.
    """

    def __init__(self, *, first_row: int) -> None:
        self.rows: dict[int, str] = {}
        self._first_row = first_row
        self._held = 0
        self._problem = ""

    @contextmanager
    def heard(self, parse: csv.ParseOptions) -> Iterator[None]:
        """Listen while a file is read, and say what is wrong with it."""
        parse.invalid_row_handler = self._keep
        try:
            yield
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise UnreadableFileError(
                    f"a row is longer than {BLOCK_BYTES:,} bytes, or a quote is opened and not closed; where quotes "
                    "are ordinary characters, set source.quoted to false"
                ) from error
            if "mpty CSV file" in str(error):
                if self._first_row == _WITHOUT_HEAD:
                    return
                raise UnreadableFileError("it has no whole line, wanted one that names the columns") from error
            if self._problem:
                raise UnreadableFileError(self._problem) from error
            raise

    def _keep(self, row: csv.InvalidRow) -> Literal["skip", "error"]:
        number = row.number - self._first_row
        self.rows[number] = row.text[:MAX_TEXT_BYTES]
        self._held += sys.getsizeof(self.rows[number]) + _BYTES_BESIDE
        if row.text.count("\n") > _LINES_IN_ONE_ROW:
            self._problem = (
                f"row {number:,} opens a quote and does not close it for {_LINES_IN_ONE_ROW:,} lines; where quotes "
                "are ordinary characters, set source.quoted to false"
            )
        elif self._held > _MALFORMED_BYTES:
            self._problem = (
                f"{len(self.rows):,} rows up to row {number:,} have {row.actual_columns} columns or another wrong "
                f"number, wanted {row.expected_columns}; see source.separator and source.quoted"
            )
        return "error" if self._problem else "skip"

    def before(self, row: int | None, names: Names) -> pl.DataFrame:
        """Give up the rows before ``row`` (all of them when None)."""
        passed = {number: self.rows.pop(number) for number in sorted(self.rows) if row is None or number < row}
        self._held = 0
        nothing = {name: pl.Series([None] * len(passed), dtype=pl.String) for name in names}
        text = {"line": pl.Series(list(passed.values()), dtype=pl.String)}
        return block({**nothing, **text}, source_row=list(passed)).with_columns(
            problem=pl.lit("wrong number of columns")
        )
