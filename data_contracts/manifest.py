"""A manifest: sha256 of every file of a folder, written last and verified before any of them is read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from data_contracts.job import commit, read
from data_contracts.night import Value

MANIFEST = "manifest.json"


class DamagedError(Exception):
    """Files are missing, changed or extra; the message lists every one. Nothing was loaded."""


class Manifest(Value):
    """Every file of a folder but this one: path inside it to sha256, hexadecimal."""

    files: dict[str, str]


def seal(folder: Path) -> None:
    """Write the manifest of everything in ``folder``. The last thing done to it."""
    commit(Manifest(files=_digests(folder)), folder / MANIFEST)


def verify(folder: Path) -> None:
    """Check that ``folder`` holds exactly the files of its manifest.

    Raises:
        DamagedError: A file is missing, changed or extra, or there is no readable manifest.
    """
    try:
        wanted = read(folder / MANIFEST, Manifest).files
    except (FileNotFoundError, ValueError) as error:
        raise DamagedError(
            f"{folder}: no readable {MANIFEST}: {error} Nothing was loaded. Remove the folder."
        ) from error
    seen = _digests(folder)
    problems = [f"{name!r}: missing" for name in wanted.keys() - seen.keys()]
    problems += [f"{name!r}: extra, not in the manifest" for name in seen.keys() - wanted.keys()]
    problems += [
        f"{name!r}: sha256 is {seen[name][:12]}…, wanted {wanted[name][:12]}…"
        for name in wanted.keys() & seen.keys()
        if seen[name] != wanted[name]
    ]
    if problems:
        listed = "\n  - ".join(sorted(problems))
        raise DamagedError(
            f"{folder}: {len(problems)} of {len(wanted)} files are not as they were written:\n  - {listed}\n"
            "Nothing was loaded. Remove the folder: what made it makes it again."
        )


def sha256(path: Path) -> str:
    """Return a file's sha256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
