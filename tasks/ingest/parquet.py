"""Parquet read in batches of about as many bytes as a block of text, however the file packs its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.staging import MAX_BYTES, MAX_TEXT_BYTES
from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tasks.ingest.lines import BLOCK_BYTES
from tasks.ingest.pieces import Piece
from tasks.ingest.raw import BLOCK_ROWS, Names, block, escaped, without_marked
from tasks.ingest.sources import SourceFile

_READ_BYTES = 1024 * 1024
_PAGES_BYTES = 8 * BLOCK_BYTES
"""What a column of a row group may hold before its values are asked to be short: its pages are decoded whole."""
_PAYLOAD_PAGES_BYTES = 32 * BLOCK_BYTES
"""The same of a column of bytes (pictures, sounds), whose values are long as a rule."""
_PACKED_BYTES = 256
"""A dictionary with a longer text stays packed: written once, it would be decoded as often as it is used."""
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, *_BYTES)
_AS_TEXT = (pa.UuidType, pa.JsonType)
_UUID = r"^(.{8})(.{4})(.{4})(.{4})(.{12})$"


def head(file: SourceFile) -> pa.Schema:
    """Return the columns of a file; UUIDs and JSON are what they are read as, text."""
    with file.open() as raw:
        schema = pq.ParquetFile(raw).schema_arrow
    return pa.schema([field.with_type(pa.string()) if isinstance(field.type, _AS_TEXT) else field for field in schema])


def rows(piece: Piece, names: Names, schema: pa.Schema) -> Iterator[pl.DataFrame]:
    """Yield the columns wanted, batch by batch. A row group belongs to the piece that its middle lies in.

    Args:
        piece: Of a file of the source.
        names: Contract column to source column.
        schema: What these are to become: bytes that are wanted as bytes stay as they are, others are read as text.

    Raises:
        WrongColumnError: A column holds bytes of which nothing says what they mean.
        UnreadableFileError: A column holds so much a row that its pages may not fit into memory.
        OSError: The file is truncated or damaged, a page's checksum (where it has one) included.
        pyarrow.ArrowInvalid: It is not Parquet.
    """
    columns = list(names.values())
    start = 0
    with piece.file.open() as raw:
        whole = pq.ParquetFile(raw)
        metadata, head = whole.metadata, whole.schema_arrow
        kinds = {name: _known(column, head.field(column).type) for name, column in names.items()}
        wanted = {field.name for field in schema if pa.types.is_binary(field.type)}
        payloads = {
            column for name, column in names.items() if name in wanted and any(test(kinds[name]) for test in _BYTES)
        }
        for group in (each for each in range(metadata.num_row_groups) if piece.has(_middle(metadata, each))):
            longest = {name: _longest(raw, metadata, group, name) for name in columns}
            packed = [name for name in columns if longest[name] > _PACKED_BYTES]
            width = _width(metadata.row_group(group), group, columns, payloads)
            width += sum(min(longest[name], MAX_BYTES if name in payloads else MAX_TEXT_BYTES) for name in packed)
            count = min(BLOCK_ROWS, max(1, BLOCK_BYTES // max(1, width)))
            for batch in _batches(raw, metadata, group, columns, count=count, packed=packed):
                own = {
                    name: _series(batch[column], kinds[name], as_bytes=column in payloads)
                    for name, column in names.items()
                }
                read = block(
                    {name: series for name, (series, _) in own.items()},
                    source_row=np.arange(start, start + batch.num_rows),
                )
                yield without_marked(read, names) if any(is_marked for _, is_marked in own.values()) else read
                start += batch.num_rows


def _middle(metadata: pq.FileMetaData, group: int) -> int:
    """Return about where the middle of a row group lies in the file."""
    info = metadata.row_group(group)
    first = info.column(0)
    start = first.data_page_offset if first.dictionary_page_offset is None else first.dictionary_page_offset
    return int(start + sum(info.column(number).total_compressed_size for number in range(info.num_columns)) // 2)


def _batches(
    raw: BinaryIO, metadata: pq.FileMetaData, group: int, columns: Sequence[str], *, count: int, packed: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(
        raw,
        metadata=metadata,
        read_dictionary=packed,
        buffer_size=_READ_BYTES,
        page_checksum_verification=True,
        arrow_extensions_enabled=False,  # text that is called JSON stays packed
        coerce_int96_timestamp_unit="us",  # as nanoseconds, years after 2262 would be others without a word
    )
    yield from file.iter_batches(count, row_groups=[group], columns=columns)


def _width(info: pq.RowGroupMetaData, group: int, columns: Sequence[str], payloads: Collection[str]) -> int:
    """Return the bytes of a row, on average, as they are written."""
    chunks = [info.column(number) for number in range(info.num_columns)]
    sizes: dict[str, int] = {
        chunk.path_in_schema: chunk.total_uncompressed_size // max(info.num_rows, 1)
        for chunk in chunks
        if any(chunk.path_in_schema == name or chunk.path_in_schema.startswith(f"{name}.") for name in columns)
    }
    for name, size in sizes.items():
        whole = size * info.num_rows
        if name in payloads and whole > _PAYLOAD_PAGES_BYTES:
            raise UnreadableFileError(
                f"row group {group} holds {whole:,} bytes in column {name!r}, wanted at most {_PAYLOAD_PAGES_BYTES:,}: "
                "write fewer rows a group"
            )
        if name not in payloads and size > MAX_TEXT_BYTES and whole > _PAGES_BYTES:
            raise UnreadableFileError(
                f"row group {group} holds {size:,} bytes a row in column {name!r}, wanted at most {MAX_TEXT_BYTES:,}"
            )
    return sum(sizes.values())


def _longest(raw: BinaryIO, metadata: pq.FileMetaData, group: int, column: str) -> int:
    """Return the bytes of the longest text in a column's dictionary; 0 where it has none, or could not matter."""
    info = metadata.row_group(group)
    chunks = {chunk.path_in_schema: chunk for chunk in map(info.column, range(info.num_columns))}
    if column not in chunks or chunks[column].total_uncompressed_size * info.num_rows <= BLOCK_BYTES:
        return 0
    first = next(_batches(raw, metadata, group, [column], count=1, packed=[column]), None)
    values = None if first is None else first.column(0)
    if values is None or not pa.types.is_dictionary(values.type) or not _is_text(values.type.value_type):
        return 0
    return int(pc.max(pc.binary_length(values.dictionary)).as_py() or 0)


def _known(column: str, kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values, if it says what their bytes mean."""
    own = kind.value_type if pa.types.is_dictionary(kind) else kind
    if (isinstance(own, pa.BaseExtensionType) and not isinstance(own, _AS_TEXT)) or pa.types.is_fixed_size_binary(own):
        raise WrongColumnError(
            f"column {column!r} is {own}: nothing says what its bytes mean. Write text, numbers, times, or UUIDs that "
            "are called so (logical type UUID)"
        )
    return own


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in _TEXTS)


def _series(values: pa.Array, kind: pa.DataType, *, as_bytes: bool) -> tuple[pl.Series, bool]:
    """Return values of ``kind``, and whether something in it is marked as no UTF-8; bytes as such if they are wanted.

    A dictionary is unpacked into views of its texts, not copies. Polars has no decimals of more than 38 digits.
    Nor does it know every zone: a timestamp that has one is UTC, and the zone is only how it was shown.
    """
    if pa.types.is_dictionary(values.type):
        texts, is_marked = _series(values.dictionary, kind, as_bytes=as_bytes)
        return texts.gather(pl.Series(pl.from_arrow(values.indices))), is_marked
    if isinstance(kind, pa.UuidType):
        return pl.Series(pl.from_arrow(values)).bin.encode("hex").str.replace(_UUID, "$1-$2-$3-$4-$5"), False
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if as_bytes:
        return pl.Series(pl.from_arrow(values.cast(pa.large_binary()))), False
    if _is_text(values.type):
        return _decoded(values.cast(pa.large_binary()))
    if pa.types.is_timestamp(values.type) and values.type.tz:
        values = values.cast(pa.timestamp(values.type.unit, "UTC"))
    if pa.types.is_decimal256(values.type):
        values = values.cast(pa.decimal128(38, values.type.scale))
    return pl.Series(pl.from_arrow(values)), False


def _decoded(values: pa.Array) -> tuple[pl.Series, bool]:
    """Decode bytes, be they called text or not: whoever wrote the file may not have looked."""
    try:
        return pl.Series(pl.from_arrow(values.cast(pa.large_string()))), False
    except pa.ArrowInvalid:
        texts = [None if value is None else escaped(value) for value in values.to_pylist()]
        return pl.Series(texts, dtype=pl.String), True
