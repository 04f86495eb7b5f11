"""Which files a source has, and under which name each is remembered once it is consumed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import takewhile
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from pydantic import Field

from data_contracts.night import Value
from tasks.ingest.delta import data_files
from tasks.ingest.errors import NOTHING_PUBLISHED, IngestError, NoFilesError, UnreadableFileError
from tasks.ingest.identity import transaction, written
from tasks.ingest.links import following, real
from tasks.ingest.listing import found, is_column, refuse_silence
from tasks.ingest.raw import escaped
from tasks.ingest.storage import Link, Options, file_system, link, member, unpacked

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


class SourceFile(Value):
    """One file of raw logs.

    Attributes:
        uri: What it is called, wherever it lies.
        size: In bytes; 0 where nobody says.
        transaction: What it is remembered as: another one once it, or the archive that it lies in, was written again.
        root: URI whose file system it lies in; ``uri`` when empty.
        path: Its name there.
        options: With which that file system is opened.
        archive: The file that it is packed in, if it is.
        written: When it, or that, was last written; None where nobody says.
    """

    uri: str
    size: int
    transaction: str
    root: str = ""
    path: str = ""
    options: dict[str, Any] = Field({}, repr=False)
    archive: SourceFile | None = None
    written: datetime | None = None

    @property
    def name(self) -> str:
        """What people call it: with the folders that are columns, it is one of many ``part-0.parquet``."""
        *folders, file = (self.path or self.uri).split("/")
        columns = list(takewhile(is_column, reversed(folders)))
        return posixpath.join(*reversed(columns), file)

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine, or on a file system mounted there."""
        return self.archive.is_local if self.archive else self.uri.startswith("file:")

    @property
    def partition(self) -> dict[str, str | None]:
        """Columns that the folders on the way to it say, ``event=view/``, as Hive, Spark and Dask write them.

        Values are text, None for null; bytes that are not UTF-8 are marked, see `tasks.ingest.raw.MARK`. The folders on
        the way to `source.uri` count as well: it may point into one.
        """
        folders = (self.path or self.uri).split("/")[:-1]
        pairs = [folder.split("=", maxsplit=1) for folder in folders if is_column(folder)]
        own = {_decoded(name): None if value == _NULL_PARTITION else _decoded(value) for name, value in pairs}
        return {**(self.archive.partition if self.archive else {}), **own}

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open it to be read: the one way to a file of a source, on whichever machine.

        Raises:
            UnreadableFileError: The archive that it lies in is damaged or locked.
            OSError: It is not there, or its storage does not answer.
        """
        root = self.root or self.uri
        with ExitStack() as stack:
            if self.archive is None:
                system, path = file_system(root, self.options)
                yield stack.enter_context(system.open(self.path or path, "rb"))
            else:
                packed = stack.enter_context(self.archive.open())
                system = stack.enter_context(unpacked(link(root).protocol, packed, self.options))
                yield stack.enter_context(member(system, self.path))


def list_files(uri: str | Sequence[str], options: Options | None = None, *, tables: bool = False) -> list[SourceFile]:
    """List the files that ``uri`` names, or several do, one after another; of each by path. Each file comes once.

    Args:
        uri: A file, a folder or a glob; what is hidden is left out. Also of files in archives, which a glob may name,
            too: ``zip://*.csv::logs/*.zip``.
        options: For the file system.
        tables: Whether each names a folder that is a Delta table.

    Raises:
        NoFilesError: There is nothing at one of them.
        UnreadableFileError: A table cannot be read (see `tasks.ingest.delta`), an archive is damaged, or a file's name
            is not UTF-8.
        IngestError: Nothing installed opens such a ``uri``.
        OSError: What it names does not answer; that may pass.
    """
    uris = [uri] if isinstance(uri, str) else uri
    files: dict[str, SourceFile] = {}
    for file in (file for each in uris for file in _files(each, options or {}, tables=tables)):
        files.setdefault(real(file.path) if file.uri.startswith("file:") else file.uri, file)
    return list(files.values())


def _files(uri: str, options: Options, *, tables: bool) -> list[SourceFile]:
    try:
        first = link(uri)
        files = list(_packed(uri, first, options) if first.is_archive else _plain(uri, options, tables=tables))
    except (ImportError, ValueError) as error:
        raise IngestError(f"{uri!r} cannot be opened: {error}. {NOTHING_PUBLISHED}") from error
    if not files:
        raise NoFilesError(f"no file at {uri!r}; wanted a file, a folder or a glob. {NOTHING_PUBLISHED}")
    return files


def _plain(uri: str, options: Options, *, tables: bool) -> Iterator[SourceFile]:
    system, path = file_system(uri, options)
    system.invalidate_cache()
    with _named(uri):
        files = data_files(system, path) if tables else found(following(system), path)
    if not files and not tables:
        refuse_silence(system, path)
    for name, info in files:
        own = system.unstrip_protocol(name)
        yield SourceFile(
            uri=own,
            size=info.get("size") or 0,
            transaction=transaction(own, info),
            root=uri,
            path=name,
            options=dict(options),
            written=written(info),
        )


def _packed(uri: str, first: Link, options: Options) -> Iterator[SourceFile]:
    for archive in list_files(first.rest, options):
        with _named(archive.name), archive.open() as raw, unpacked(first.protocol, raw, options) as system:
            inside = found(system, first.path)
        for name, info in inside:
            own = f"{first.protocol}://{name}::{archive.uri}"
            yield SourceFile(
                uri=own,
                size=info.get("size") or 0,
                transaction=transaction(own, {"size": info.get("size"), "etag": archive.transaction}),
                root=uri,
                path=name,
                options=dict(options),
                archive=archive,
                written=archive.written,
            )


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{what}: {error}. {NOTHING_PUBLISHED} Mend it, or take it away.") from error


def _decoded(text: str) -> str:
    return escaped(unquote_to_bytes(text))
