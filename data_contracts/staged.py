"""Staged rows in files: typed, on their way into a table. Written by ``ingest``, read by ``validate``.

A part is an Arrow IPC file whose n-th batch has the rows of the n-th cell. A large source file becomes several of them,
and small ones are in one together. The cells of a night are ranges of buckets, as many in every part; so whoever works
on some buckets reads their rows and no others, and no part is opened more often than there are ranges.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa

from data_contracts.buckets import BUCKETS, Buckets
from data_contracts.night import Value

_INDEX = "index.json"
BUCKET = "bucket"
"""Column beside those of a staged row."""
SOURCE_FILE = "source_file"
"""Column of a staged row: where it comes from."""

_BYTES_OF_A_ROW = 128
"""Text, bytes and lists up to which a row counts as one."""
_BYTES_OF_A_NUMBER = 8
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class StagedPart(Value):
    """One file of staged rows.

    Attributes:
        name: In the night's folder.
        sha256: Of the file, hexadecimal.
        rows: By cell.
        weights: By cell: rows, one of much text counted as several. What it takes to hold them.
        days: Of its rows, where they say a time.
        first_row: Rows of their file that stand before those whose ``source_row`` is 0 in this part.
    """

    name: str
    sha256: str
    rows: tuple[int, ...]
    weights: tuple[int, ...]
    days: tuple[date, ...]
    first_row: int = 0


class StagedIndex(Value):
    """What a night staged, in the order of its source files."""

    cells: int
    parts: tuple[StagedPart, ...]

    @property
    def first_rows(self) -> dict[str, int]:
        """Name of each part to its `StagedPart.first_row`, in their order."""
        return {part.name: part.first_row for part in self.parts}

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(sum(part.rows) for part in self.parts)

    def weights(self) -> dict[Buckets, int]:
        """Return what the rows of each cell weigh."""
        by_cell = zip(*(part.weights for part in self.parts), strict=True)
        return {cell: sum(weights) for cell, weights in zip(cells(self.cells), by_cell, strict=False)}

    def days(self) -> set[date]:
        """Return the days of the rows that say a time."""
        return {day for part in self.parts for day in part.days}


def cells(count: int) -> list[Buckets]:
    """Return ``count`` ranges of as many buckets each; it divides `BUCKETS`."""
    width = BUCKETS // count
    return [Buckets(first=first, end=first + width) for first in range(0, BUCKETS, width)]


def write_part(rows: pl.DataFrame, folder: str, name: str, count: int) -> StagedPart:
    """Write staged rows as one part, those of a bucket in their order.

    Args:
        rows: With `BUCKET`, `SOURCE_FILE` (an enumeration) and ``day``, which is not written.
        folder: URI of the night's.
        name: Of the part; one that is there is replaced.
        count: Of cells.
    """
    ordered = rows.sort(BUCKET, maintain_order=True)
    bounds = ordered[BUCKET].search_sorted(np.array([cell.first for cell in cells(count)], np.int16)).to_list()
    spans = list(pairwise([*bounds, ordered.height]))
    weight = ordered.select(_weight(ordered.schema).cum_sum()).to_series()
    reached = [0, *(int(weight[end - 1]) if end else 0 for _, end in spans)]
    table = ordered.drop("day").to_arrow(compat_level=pl.CompatLevel.oldest())
    batch = pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_file(buffer, batch.schema, options=_OPTIONS) as writer:
        for first, end in spans:
            writer.write_batch(batch.slice(first, end - first))
    data = buffer.getvalue()
    with fsspec.open(posixpath.join(folder, name), "wb", auto_mkdir=True) as file:
        file.write(data)
    return StagedPart(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        rows=tuple(end - first for first, end in spans),
        weights=tuple(after - before for before, after in pairwise(reached)),
        days=tuple(rows["day"].drop_nulls().unique().sort()),
    )


def read_rows(folder: str, parts: Mapping[str, int], count: int, buckets: Buckets) -> Iterator[pl.DataFrame]:
    """Yield the rows of some buckets, part by part; ``source_row`` counts the rows of a file.

    Args:
        folder: URI of the night's.
        parts: Names of its parts, in their order, and the `first_row` of each.
        count: Of cells.
        buckets: Whose rows are wanted.
    """
    system, path = fsspec.url_to_fs(folder)
    wanted = {number: cell for number, cell in enumerate(cells(count)) if cell.meets(buckets)}
    is_whole = all(buckets.contains(cell) for cell in wanted.values())
    for name, first_row in parts.items():
        with system.open(posixpath.join(path, name), "rb") as file:
            reader = pa.ipc.open_file(file)
            batches = [reader.get_batch(number) for number in wanted]
        rows = pl.DataFrame(pa.Table.from_batches(batches))
        yield (rows if is_whole else rows.filter(buckets.rows(pl.col(BUCKET)))).with_columns(
            pl.col(SOURCE_FILE).cast(pl.String), pl.col("source_row") + first_row
        )


def write_index(folder: str, index: StagedIndex) -> None:
    """Write what a night staged, the last thing done to its folder."""
    with fsspec.open(posixpath.join(folder, _INDEX), "w", encoding="utf-8", auto_mkdir=True) as file:
        file.write(index.model_dump_json())


def read_index(folder: str) -> StagedIndex | None:
    """Return what a night staged; None where there is no such folder, or nothing whole."""
    system, path = fsspec.url_to_fs(posixpath.join(folder, _INDEX))
    if not system.exists(path):
        return None
    with system.open(path, "rb") as file:
        return StagedIndex.model_validate_json(file.read())


def digest_of(folder: str, name: str) -> str | None:
    """Return the sha256 of a part as it lies there, hexadecimal; None where it does not."""
    system, path = fsspec.url_to_fs(posixpath.join(folder, name))
    if not system.exists(path):
        return None
    with system.open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weight(schema: pl.Schema) -> pl.Expr:
    lengths = [
        pl.col(name).cast(pl.Binary).bin.size().cast(pl.Int64).fill_null(0)
        for name, kind in schema.items()
        if kind in (pl.String, pl.Binary)
    ]
    lists = [
        pl.col(name).list.len().cast(pl.Int64).fill_null(0) * _BYTES_OF_A_NUMBER
        for name, kind in schema.items()
        if kind == pl.List
    ]
    return 1 + pl.sum_horizontal(*lengths, *lists).cast(pl.Int64) // _BYTES_OF_A_ROW
