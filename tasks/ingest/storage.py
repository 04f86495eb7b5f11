"""Which file system a URI names. The one door to `fsspec` for the files of a source."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import fsspec
from fsspec import AbstractFileSystem
from fsspec.archive import AbstractArchiveFileSystem
from fsspec.core import split_protocol
from fsspec.implementations.chained import ChainedFileSystem

from tasks.ingest.errors import UnreadableFileError

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
"""What their libraries raise on archives that are damaged."""
_LOCKED = (NotImplementedError, RuntimeError)
"""What `zipfile` raises where it knows no such packing, or wants a password."""

Options = Mapping[str, Any]
"""For the file system itself, or by protocol: ``{"anon": True}`` or ``{"s3": {"anon": True}}``."""


class Link(NamedTuple):
    """A URI, less what it is chained to.

    Attributes:
        protocol: Its own; ``file`` where it names none.
        path: What is asked of it.
        rest: URI of what it is chained to; empty where ``::`` is a part of a name, or not there.
        is_archive: Whether it is packed in that.
    """

    protocol: str
    path: str
    rest: str
    is_archive: bool


def link(uri: str) -> Link:
    """Take the first link off ``uri``. ``zip://*.csv::a.zip`` is a chain; ``a::b.csv`` is a name.

    Raises:
        ImportError, ValueError: Nothing installed knows the protocol.
    """
    first, _, rest = uri.partition("::")
    bare = first if rest and first in fsspec.available_protocols() else "file"
    protocol = split_protocol(first)[0] or bare
    kind = fsspec.get_filesystem_class(protocol)
    is_archive = bool(rest) and issubclass(kind, AbstractArchiveFileSystem)
    if is_archive or (rest and issubclass(kind, ChainedFileSystem)):
        return Link(protocol, kind._strip_protocol(first.removeprefix(bare)), rest, is_archive)
    return Link(protocol, kind._strip_protocol(uri), "", is_archive=False)


def file_system(uri: str, options: Options) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a URI that is no archive, and the path there. A chain is never one of another night.

    Raises:
        ImportError, ValueError: Nothing installed opens it.
    """
    first = link(uri)
    if "::" in uri and not first.rest:
        return fsspec.filesystem(first.protocol, **options), first.path
    fresh = {"skip_instance_cache": True} if first.rest else {}
    system, path = fsspec.url_to_fs(uri, **fresh, **options)
    return system, path


@contextmanager
def unpacked(protocol: str, raw: BinaryIO, options: Options) -> Iterator[AbstractFileSystem]:
    """Look into an archive.

    Raises:
        UnreadableFileError: It is damaged.
    """
    own = options.get(protocol, {})
    try:
        yield fsspec.filesystem(protocol, fo=raw, skip_instance_cache=True, **own)
    except DAMAGED as error:
        raise UnreadableFileError(f"the {protocol} is damaged: {error}") from error


@contextmanager
def member(system: AbstractFileSystem, path: str) -> Iterator[BinaryIO]:
    """Open one file of an archive.

    Raises:
        UnreadableFileError: It is locked, or packed in a way that nothing here unpacks.
    """
    try:
        file = system.open(path, "rb")
    except _LOCKED as error:
        raise UnreadableFileError(f"{path!r} cannot be unpacked: {error}") from error
    with file as raw:
        yield raw
