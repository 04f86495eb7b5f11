"""Parquet read in batches of about as many bytes as a block of text, however the file packs its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.staging import MAX_TEXT_BYTES
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.lines import BLOCK_BYTES, Names, block

BLOCK_ROWS = 256 * 1024
_READ_BYTES = 1024 * 1024
_PAGES_BYTES = 4 * BLOCK_BYTES
"""What a column of a row group may hold before its values are asked to be short: its pages are decoded whole."""


def head(uri: str) -> pa.Schema:
    """Return the columns of a file."""
    with fsspec.open(uri, "rb") as raw:
        return pq.ParquetFile(raw).schema_arrow


def rows(uri: str, names: Names) -> Iterator[pl.DataFrame]:
    """Yield the columns wanted, batch by batch.

    Raises:
        UnreadableFileError: A column holds so much a row that its pages may not fit into memory.
        OSError: The file is truncated or damaged, a page's checksum (where it has one) included.
        pyarrow.ArrowInvalid: It is not Parquet.
    """
    columns = list(names.values())
    start = 0
    with fsspec.open(uri, "rb") as raw:
        file = pq.ParquetFile(raw, buffer_size=_READ_BYTES, page_checksum_verification=True)
        for group in range(file.num_row_groups):
            count = _rows_per_batch(raw, file.metadata, group, columns)
            for batch in file.iter_batches(count, row_groups=[group], columns=columns):
                own = {name: _series(batch[column]) for name, column in names.items()}
                yield block(own, source_row=np.arange(start, start + batch.num_rows))
                start += batch.num_rows


def _rows_per_batch(raw: BinaryIO, metadata: pq.FileMetaData, group: int, columns: Sequence[str]) -> int:
    """Return how many rows decode to about a block.

    A text of a dictionary is written once and decoded as often as it is used, so the longest one counts.
    """
    info = metadata.row_group(group)
    chunks = [info.column(number) for number in range(info.num_columns)]
    sizes: dict[str, int] = {
        chunk.path_in_schema: chunk.total_uncompressed_size // max(info.num_rows, 1)
        for chunk in chunks
        if any(chunk.path_in_schema == name or chunk.path_in_schema.startswith(f"{name}.") for name in columns)
    }
    for name, size in sizes.items():
        if size > MAX_TEXT_BYTES and size * info.num_rows > _PAGES_BYTES:
            raise UnreadableFileError(
                f"row group {group} holds {size:,} bytes a row in column {name!r}, wanted at most {MAX_TEXT_BYTES:,}; "
                "leave those rows out"
            )
    longest = sum(_longest(raw, metadata, group, name) for name in columns)
    return min(BLOCK_ROWS, max(1, BLOCK_BYTES // max(1, longest + sum(sizes.values()))))


def _longest(raw: BinaryIO, metadata: pq.FileMetaData, group: int, column: str) -> int:
    """Return the bytes of the longest text in a column's dictionary; 0 where it has none."""
    file = pq.ParquetFile(raw, metadata=metadata, read_dictionary=[column], buffer_size=_READ_BYTES)
    for batch in file.iter_batches(1, row_groups=[group], columns=[column]):
        values = batch.column(0)
        if pa.types.is_dictionary(values.type) and _is_text(values.type.value_type):
            return int(pc.max(pc.binary_length(values.dictionary)).as_py() or 0)
        break
    return 0


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def _series(values: pa.Array) -> pl.Series:
    """Unpack a dictionary into views of its texts, not copies."""
    if pa.types.is_dictionary(values.type):
        return pl.Series(pl.from_arrow(values.dictionary)).gather(pl.Series(pl.from_arrow(values.indices)))
    return pl.Series(pl.from_arrow(values))
