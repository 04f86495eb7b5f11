"""What a file system has where a source asks: which names it finds there, and which of them count."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from fsspec import AbstractFileSystem

from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.links import Info, once
from tasks.ingest.raw import MARK, escaped, is_utf8

_GONE = (404, 410)
"""What HTTP says of a file that is not there."""


def found(system: AbstractFileSystem, path: str) -> list[tuple[str, Info]]:
    """Return the files that ``path``, a file, a folder or a glob, names, by name; what is hidden is left out.

    Raises:
        UnreadableFileError: A name is not UTF-8.
    """
    is_there = system.exists(path)
    listed = system.find(path, detail=True) if is_there else system.glob(_pattern(system, path), detail=True)
    files = {name: info for name, info in listed.items() if info["type"] == "file" and not is_hidden(name, path)}
    _refuse_names(files)
    return sorted(once(files, system).items())


def _pattern(system: AbstractFileSystem, path: str) -> str:
    """Return a glob in which folders that are called like one, ``logs [x]``, mean themselves."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if glob.has_magic(part):
            if not system.exists("/".join(path.split("/")[: number + 1])):
                break
            parts[number] = glob.escape(part)
    return "/".join(parts)


def _refuse_names(names: Iterable[str]) -> None:
    bad = [escaped(os.fsencode(name)).replace(MARK, "") for name in names if not is_utf8(name)]
    if bad:
        raise UnreadableFileError(f"{len(bad):,} files have names that are not UTF-8, rename them: {', '.join(bad)}")


def refuse_silence(system: AbstractFileSystem, path: str) -> None:
    """Tell a file that is not there from a server that does not answer, which `exists` does not.

    Raises:
        ConnectionError: It does not answer, or answers something else; that may pass.
    """
    if glob.has_magic(path):
        return
    try:
        system.info(path)
    except FileNotFoundError as error:
        cause = error.__cause__
        is_gone = isinstance(cause, LookupError | FileNotFoundError) or getattr(cause, "status", None) in _GONE
        if cause is not None and not is_gone:
            raise ConnectionError(f"{path} does not answer: {cause}") from cause


def is_hidden(name: str, asked: str) -> bool:
    """Whether the file, or a folder on the way to it, begins with a dot or an underscore, and nobody asked for that.

    A folder called ``_column=value`` holds rows like any other.
    """
    *folders, file = name.split("/")
    hidden = [part for part in folders if part.startswith(".") or (part.startswith("_") and not is_column(part))]
    hidden += [file] if file.startswith((".", "_")) else []
    return any(not _is_asked(part, asked.split("/")) for part in hidden)


def _is_asked(part: str, asked: Sequence[str]) -> bool:
    return any(part == each or (each.startswith((".", "_")) and fnmatchcase(part, each)) for each in asked)


def is_column(folder: str) -> bool:
    """Whether a folder is called ``column=value``."""
    return "=" in folder[1:]
