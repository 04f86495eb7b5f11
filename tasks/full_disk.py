"""Say which disk is full, whichever library met it, in whatever process."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_contracts.night import Workspace

NO_SPACE = ("No space left on device", "database or disk is full", "Disk quota exceeded")
"""What the system and SQLite say; it comes through Rust, MLflow and the logs of jobs unchanged."""
ROOM = 1 << 20
"""Bytes that are free on the disk of a folder where a job works, at least: with less it can keep nothing."""


class FullDiskError(Exception):
    """No space was left for the night's files; the message says how much is free, and where."""


@contextmanager
def names_a_full_disk(workspace: Workspace) -> Iterator[None]:
    """Turn any error for want of space into one that says where.

    Raises:
        FullDiskError: Instead of the error, which is its cause.
    """
    try:
        yield
    except Exception as error:
        if not for_want_of_space(error):
            raise
        free = "; ".join(_free(folder) for folder in (workspace.home, tempfile.gettempdir()))
        raise FullDiskError(
            f"no space left. Free now: {free}. Nothing unfinished was published, and what was served still is. Make "
            f"room and start the night again: it goes on from here. The error: {error}"
        ) from error


def for_want_of_space(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that a disk is full."""
    return error is not None and (
        any(words in str(error) for words in NO_SPACE) or for_want_of_space(error.__cause__ or error.__context__)
    )


def require_room(folder: Path) -> None:
    """Look at the disk: processes that find it full cannot write down why they ended, and are started in vain.

    Raises:
        OSError: It is full.
    """
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < ROOM:  # file systems over an object store may say 0 of 0
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _free(folder: str) -> str:
    disk = shutil.disk_usage(folder)
    return f"{disk.free / 1e6:,.1f} of {disk.total / 1e6:,.1f} MB in {folder}"
