"""A manifest: sha256 of every file of a folder, written last and verified before any of them is read."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from data_contracts.commit_point import commit_point
from data_contracts.job import commit, read
from data_contracts.night import Value

MANIFEST = "manifest.json"


class DamagedError(Exception):
    """Files are missing, changed or extra; the message lists every one. Nothing was loaded."""


class Manifest(Value):
    """Every file of a folder but this one: path inside it to sha256, hexadecimal."""

    files: dict[str, str]


def seal(folder: Path) -> None:
    """Write the manifest of everything in ``folder``, once it is on disk. The last thing done to it."""
    for path in folder.rglob("*"):
        _sync(path)
    commit(Manifest(files=_digests(folder)), folder / MANIFEST)
    _sync(folder)


def publish(staged: Path, folder: Path, point: str) -> None:
    """Seal a folder written under another name and rename it: ``folder`` is whole whenever it is there.

    Args:
        staged: Beside ``folder``.
        folder: Replaced if it is there.
        point: The commit point that the renaming is.
    """
    seal(staged)
    if folder.exists():
        shutil.rmtree(folder)
    with commit_point(point):
        staged.rename(folder)
        _sync(folder.parent)


def damage(folder: Path) -> list[str]:
    """Say of each file of a folder how it differs from the manifest; nothing when it is as it was sealed."""
    try:
        wanted = read(folder / MANIFEST, Manifest).files
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        return [f"no readable {MANIFEST}: {error}"]
    seen = _digests(folder)
    problems = [f"{name!r}: missing" for name in wanted.keys() - seen.keys()]
    problems += [f"{name!r}: extra, not in the manifest" for name in seen.keys() - wanted.keys()]
    problems += [
        f"{name!r}: sha256 is {seen[name][:12]}…, wanted {wanted[name][:12]}…"
        for name in wanted.keys() & seen.keys()
        if seen[name] != wanted[name]
    ]
    return sorted(problems)


def verify(folder: Path) -> None:
    """Check that ``folder`` holds exactly the files of its manifest.

    Raises:
        DamagedError: A file is missing, changed or extra, or there is no readable manifest.
    """
    problems = damage(folder)
    if problems:
        listed = "\n  - ".join(problems)
        raise DamagedError(f"{folder} is not as it was written:\n  - {listed}\nNothing of it was loaded.")


def digest(folder: Path) -> str:
    """Return the sha256 of a sealed folder's manifest: it stands for every file in it."""
    return sha256(folder / MANIFEST)


def sha256(path: Path) -> str:
    """Return a file's sha256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def _sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
