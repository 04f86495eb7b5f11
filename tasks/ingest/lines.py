"""From a file's bytes to blocks of whole lines, a few megabytes at a time."""

from __future__ import annotations

import codecs
import os
import posixpath
from collections.abc import Iterator

import pyarrow as pa

from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.raw import escaped
from tasks.ingest.sources import SourceFile

BLOCK_BYTES = 8 * 1024 * 1024
"""Read at a time, and so the longest line."""

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def blocks(file: SourceFile) -> Iterator[bytes]:
    """Yield lines, the last of the file with or without its end, without a byte order mark.

    All of it is UTF-8: bytes that are not are escaped and marked, see `tasks.ingest.raw.MARK`.

    Raises:
        UnreadableFileError: A line is longer than a block, or the file says that it is UTF-16.
        OSError: The file is truncated or damaged.
    """
    rest = b""
    for piece in _pieces(file):
        data = rest + piece
        end = data.rfind(b"\n") + 1 or data.rfind(b"\r") + 1
        rest = data[end:]
        if len(rest) >= BLOCK_BYTES:
            raise UnreadableFileError(f"a line is longer than {BLOCK_BYTES:,} bytes")
        if end:
            yield _utf8(data[:end])
    if rest:
        yield _utf8(rest)


def is_ended(file: SourceFile) -> bool:
    """Whether the last line ends with a line break; a compressed file says by itself whether it is whole."""
    if posixpath.splitext(file.name)[1] in _CODECS:
        return True
    with file.open() as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - 1))
        return size == 0 or raw.read() in (b"\n", b"\r")


def _pieces(file: SourceFile) -> Iterator[bytes]:
    codec = _CODECS.get(posixpath.splitext(file.name)[1])
    with file.open() as packed:
        raw = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), codec) if codec else packed
        piece: bytes = raw.read(BLOCK_BYTES)
        if piece.startswith(_UTF_16):
            raise UnreadableFileError("it begins with the byte order mark of UTF-16, wanted UTF-8")
        piece = piece.removeprefix(codecs.BOM_UTF8)
        while piece:
            yield piece
            piece = raw.read(BLOCK_BYTES)


def _utf8(data: bytes) -> bytes:
    return data if data.isascii() else escaped(data).encode()
