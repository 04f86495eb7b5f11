"""From a file's bytes to blocks of whole lines, a few megabytes at a time."""

from __future__ import annotations

import codecs
import itertools
import os
import posixpath
import re
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from tasks.ingest.config import SourceConfig
from tasks.ingest.encodings import is_utf_8
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.pieces import Piece
from tasks.ingest.raw import ESCAPED, escaped
from tasks.ingest.sources import SourceFile

BLOCK_BYTES = 8 * 1024 * 1024
"""Read at a time, and so the longest line."""

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_PACKED = (
    ("gzip", re.compile(rb"\x1f\x8b"), "name it .gz"),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd"), "name it .zst"),
    ("lz4", re.compile(rb"\x04\x22\x4d\x18"), "name it .lz4"),
    ("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "name it .bz2"),
    ("xz", re.compile(rb"\xfd7zXZ\0"), "pack it as .gz, .bz2, .zst or .lz4"),
    ("a zip", re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "read it as zip://*::PATH.zip"),
    ("a tar", re.compile(rb"[\s\S]{257}ustar(?:\0|  \0)"), "read it as tar://*::PATH.tar"),
)
"""What packed files begin with, and how each can be read."""
_LINE_END = re.compile(rb"[\n\r]")
_WIDEST = 4
"""Bytes of a character, at most."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def blocks(piece: Piece, source: SourceConfig) -> Iterator[bytes]:
    """Yield lines, the last of the file with or without its end, without a byte order mark.

    All of it is UTF-8: bytes that could not be decoded are escaped and marked, see `tasks.ingest.raw.MARK`.

    Args:
        piece: Of a file of the source.
        source: Says its encoding.

    Raises:
        UnreadableFileError: A line is longer than a block, the file says that it is UTF-16 and nobody else does, cannot
            be of its encoding at all, or is packed otherwise than its name says.
        OSError: The file is truncated or damaged.
    """
    rest = b""
    chunks = _chunks(piece, source)
    for chunk in chunks if is_utf_8(source.encoding) else _transcoded(chunks, source):
        data = rest + chunk
        if len(data) > BLOCK_BYTES and _LINE_END.search(data, 0, BLOCK_BYTES + 1) is None:
            raise UnreadableFileError(f"a line is longer than {BLOCK_BYTES:,} bytes")
        end = data.rfind(b"\n") + 1 or data.rfind(b"\r") + 1
        rest = data[end:]
        if end:
            yield _utf8(data[:end])
    if rest:
        yield _utf8(rest)


def is_ended(file: SourceFile) -> bool:
    """Whether the last line ends with a line break; a compressed file says by itself whether it is whole."""
    if codec_of(file):
        return True
    with file.open() as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - _WIDEST))
        return size == 0 or raw.read().rstrip(b"\0").endswith((b"\n", b"\r"))


def _chunks(piece: Piece, source: SourceConfig) -> Iterator[bytes]:
    """Yield the bytes of a piece: the lines that begin in it. Storage that cannot seek has all in the first piece."""
    codec = codec_of(piece.file)
    with piece.file.open() as packed:
        raw = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), codec) if codec else packed
        is_cut = not piece.is_whole and raw.seekable()
        if piece.start and not is_cut:
            return
        chunks = _in_range(raw, piece) if is_cut else iter(lambda: raw.read(BLOCK_BYTES), b"")
        yield from chunks if piece.start else _from_the_first(chunks, codec, source)


def _in_range(raw: BinaryIO, piece: Piece) -> Iterator[bytes]:
    place = _line_start(raw, piece.start)
    end = None if piece.end is None else _line_start(raw, piece.end)
    raw.seek(place)
    while chunk := raw.read(BLOCK_BYTES if end is None else max(0, min(BLOCK_BYTES, end - place))):
        yield chunk
        place += len(chunk)


def _line_start(raw: BinaryIO, place: int) -> int:
    """Return where the first line begins that begins at a place of a file or after it; inside one that is too long."""
    if place == 0:
        return 0
    raw.seek(place - 1)
    data = raw.read(BLOCK_BYTES + 1)
    return place - 1 + (data.find(b"\n") + 1 or data.find(b"\r") + 1 or len(data))


def _from_the_first(chunks: Iterator[bytes], codec: str | None, source: SourceConfig) -> Iterator[bytes]:
    """Look at the first bytes of a file before the rest is read, and take its byte order mark."""
    first = next(chunks, b"")
    if first.startswith(_UTF_16) and is_utf_8(source.encoding):
        raise UnreadableFileError(
            f"it begins with the byte order mark of UTF-16, wanted UTF-8: set {source.named('encoding')} to utf-16"
        )
    _refuse_packed(first, codec)
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _transcoded(chunks: Iterator[bytes], source: SourceConfig) -> Iterator[bytes]:
    """Write a text as UTF-8."""
    decoder = codecs.getincrementaldecoder(source.encoding)(ESCAPED)
    is_first = True
    for chunk in itertools.chain(filter(None, chunks), [b""]):
        try:
            text = decoder.decode(chunk, not chunk).encode()
        except UnicodeError as error:  # of the whole, such as no byte order mark; bytes of a row are marked
            raise UnreadableFileError(
                f"it is not {source.encoding}: {error}. See {source.named('encoding')}"
            ) from error
        yield text.removeprefix(codecs.BOM_UTF8) if is_first else text
        is_first = is_first and not text


def codec_of(file: SourceFile) -> str | None:
    """Return how a file is packed, by its name."""
    return _CODECS.get(posixpath.splitext(file.name)[1].lower())


def _refuse_packed(begin: bytes, codec: str | None) -> None:
    """Tell by its first bytes what is packed, or packed once more, than its name says."""
    for what, first, step in _PACKED:
        if first.match(begin):
            inside = f"inside {codec} " if codec else ""
            raise UnreadableFileError(f"{inside}it is {what}, and its name does not say so: {step}")


def _utf8(data: bytes) -> bytes:
    return data if data.isascii() else escaped(data).encode()
