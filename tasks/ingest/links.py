"""Symbolic links: what they lead to is a file or a folder of the source like any other, and is read once."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

Info = dict[str, Any]
"""What a file system says of one file."""


def following(system: AbstractFileSystem) -> AbstractFileSystem:
    """Return a file system that lists what links lead to; only this machine's has any."""
    return _FollowingLinks() if type(system) is LocalFileSystem else system


def once(files: dict[str, Info], system: AbstractFileSystem) -> dict[str, Info]:
    """Take each file once: under its own name where that is among them, not under a link's (``latest.csv``)."""
    if not isinstance(system, _FollowingLinks):
        return files
    own = {name: real(name) for name in files}
    names = {own[name]: name for name in sorted(files, key=lambda name: (own[name] == name, name))}
    return {name: files[name] for name in names.values()}


def real(name: str) -> str:
    """Return the path of a file on this machine, whatever links lead to it."""
    return os.path.realpath(name)


class _FollowingLinks(LocalFileSystem):  # type: ignore[misc]
    """Lists a linked file as a file, a linked folder as a folder; one that holds the link itself is left out."""

    cachable = False

    def ls(self, path: str, detail: bool = False, **_: object) -> list[Any]:  # noqa: FBT001, FBT002
        """See `AbstractFileSystem.ls`."""
        found = [self._followed(info) for info in super().ls(path, detail=True)]
        return found if detail else [info["name"] for info in found]

    def _followed(self, info: Info) -> Info:
        name = info["name"]
        if not info["islink"] or not os.path.exists(name) or _is_circle(name):
            return info
        followed: Info = self.info(name)
        return followed


def _is_circle(link: str) -> bool:
    """Whether a link leads to a folder that one comes through on the way to it, or to one around that."""
    target = PurePath(os.path.realpath(link))
    return any(PurePath(os.path.realpath(folder)).is_relative_to(target) for folder in PurePath(link).parents)
