"""Files that are rows: of a picture or a sound its bytes, its name, the folder it lies in, and when it was written.

A file of the source is such a file itself, or an archive (.tar, packed or not, .zip) of many, of which each is a row.
"""

from __future__ import annotations

import base64
import json
import posixpath
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

import polars as pl
import pyarrow as pa

from data_contracts.staging import MAX_BYTES
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.lines import BLOCK_BYTES
from tasks.ingest.listing import is_column, is_hidden
from tasks.ingest.raw import BLOCK_ROWS, Names, block
from tasks.ingest.sources import SourceFile
from tasks.ingest.storage import DAMAGED, file_system

COLUMNS = {"bytes": pl.Binary(), "name": pl.String(), "folder": pl.String(), "modified": pl.Datetime("us", "UTC")}
"""What a row says of its file. ``folder`` is the last one on the way to it; of one called ``label=shoe``, ``shoe``."""
_SHOWN_BYTES = 192
_TAR, _ZIP = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"), (".zip",)


class _Member(NamedTuple):
    """One file: of one that is too long only as much as shows that it is."""

    path: str
    modified: datetime
    data: bytes


def head() -> pa.Schema:
    """Return the columns, the same of every file."""
    return pl.DataFrame(schema=COLUMNS).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def rows(file: SourceFile, source: SourceConfig, names: Names) -> Iterator[pl.DataFrame]:
    """Yield the columns wanted, a few files at a time.

    Raises:
        UnreadableFileError: An archive is damaged, or lies in another one.
        OSError: A file is not there, or its storage does not answer.
    """
    if file.archive is not None:
        uri = source.named("uri")
        raise UnreadableFileError(f"it is packed in {file.archive.name}: name that in {uri}, not what is in it")
    start = 0
    for members in _blocks(_members(file)):
        paths = [member.path for member in members]
        columns: dict[str, list[Any]] = {
            "bytes": [member.data for member in members],
            "name": [posixpath.basename(path) for path in paths],
            "folder": [_folder(path) for path in paths],
            "modified": [member.modified for member in members],
        }
        read = {name: pl.Series(columns[column], dtype=COLUMNS[column]) for name, column in names.items()}
        original = pl.Series([_original(member) for member in members], dtype=pl.String)
        yield block({**read, "original": original}, source_row=range(start, start + len(members)))
        start += len(members)


def _original(member: _Member) -> str | None:
    """Say which file is too long; of the others the columns say all."""
    if len(member.data) <= MAX_BYTES:
        return None
    begins = base64.b64encode(member.data[:_SHOWN_BYTES]).decode()
    return json.dumps({"path": member.path, "modified": member.modified.isoformat(), "bytes": f"{begins}…"})


def _blocks(members: Iterable[_Member]) -> Iterator[list[_Member]]:
    """Put files together until they are many, or much."""
    held: list[_Member] = []
    size = 0
    for member in members:
        held.append(member)
        size += len(member.data)
        if size >= BLOCK_BYTES or len(held) >= BLOCK_ROWS:
            yield held
            held, size = [], 0
    if held:
        yield held


def _members(file: SourceFile) -> Iterator[_Member]:
    name = file.path.lower()
    try:
        with file.open() as raw:
            if name.endswith(_TAR):
                yield from _in_tar(raw)
            elif name.endswith(_ZIP):
                yield from _in_zip(raw)
            else:
                system, path = file_system(file.root or file.uri, file.options)
                yield _Member(file.path, system.modified(file.path or path).astimezone(UTC), raw.read(MAX_BYTES + 1))
    except DAMAGED as error:
        raise UnreadableFileError(f"it is damaged: {error}") from error


def _in_tar(raw: BinaryIO) -> Iterator[_Member]:
    with tarfile.open(fileobj=raw, mode="r|*") as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isreg() and not is_hidden(member.name, "") else None
            if data is not None:
                yield _Member(member.name, datetime.fromtimestamp(member.mtime, UTC), data.read(MAX_BYTES + 1))


def _in_zip(raw: BinaryIO) -> Iterator[_Member]:
    """Read a zip, whose times have no zone and are taken for UTC."""
    with zipfile.ZipFile(raw) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not is_hidden(member.filename, ""):
                with archive.open(member) as data:
                    yield _Member(member.filename, datetime(*member.date_time, tzinfo=UTC), data.read(MAX_BYTES + 1))


def _folder(path: str) -> str | None:
    folder = posixpath.basename(posixpath.dirname(path))
    return unquote(folder.partition("=")[2]) if is_column(folder) else folder or None
