"""Which files a source has, and under which name each is remembered once it is consumed."""

from __future__ import annotations

import hashlib
import posixpath
from typing import Any

import fsspec

from data_contracts.night import Value
from tasks.ingest.errors import NOTHING_PUBLISHED, IngestError, NoFilesError

_CHANGE_KEYS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")


class SourceFile(Value):
    """One file of raw logs."""

    uri: str
    size: int
    transaction: str

    @property
    def name(self) -> str:
        """What people call it."""
        return posixpath.basename(self.uri)

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine, or on a file system mounted there."""
        return self.uri.startswith("file:")


def list_files(uri: str) -> list[SourceFile]:
    """List the files that ``uri`` (a file, a folder or a glob) names, by path; what is hidden is left out.

    Raises:
        NoFilesError: ``uri`` is empty, or there is nothing.
        IngestError: Nothing installed opens such a ``uri``.
    """
    if not uri:
        raise NoFilesError(
            "source.uri is empty. Say where the logs lie, a file, a folder or a glob: in the settings file, as "
            "NIGHTSHIFT_SOURCE__URI, or by --source.uri."
        )
    try:
        system, path = fsspec.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise IngestError(f"{uri!r} cannot be opened: {error}. {NOTHING_PUBLISHED}") from error
    found = system.find(path, detail=True) if system.exists(path) else system.glob(path, detail=True)
    files = [
        _source_file(system.unstrip_protocol(name), info)
        for name, info in sorted(found.items())
        if info["type"] == "file" and not _is_hidden(name, path)
    ]
    if not files:
        raise NoFilesError(f"no file at {uri!r}; wanted a file, a folder or a glob. {NOTHING_PUBLISHED}")
    return files


def _is_hidden(name: str, asked: str) -> bool:
    """Whether the file, or a folder on the way to it, begins with a dot or an underscore, and nobody asked for that."""
    return any(part.startswith((".", "_")) and part not in asked.split("/") for part in name.split("/"))


def _source_file(uri: str, info: dict[str, Any]) -> SourceFile:
    changed = next((info[key] for key in _CHANGE_KEYS if info.get(key) is not None), "")
    identity = f"{uri}\n{info['size']}\n{changed}"
    return SourceFile(
        uri=uri,
        size=info["size"],
        transaction=f"file:{hashlib.sha256(identity.encode()).hexdigest()}",
    )
