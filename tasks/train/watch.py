"""What a training's driver looks at, again and again: hosts, a sign of life, room on the disk."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from distributed import Client

from data_contracts.job import Heartbeat, read

ROOM = 1 << 20
"""Bytes that are free on the disk of a training's folder, at least: with less it can keep nothing."""


def require_room(folder: Path) -> None:
    """Look at the disk: processes that find it full cannot write down why they ended, and are started in vain.

    Raises:
        OSError: It is full.
    """
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < ROOM:  # file systems over an object store may say 0 of 0
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def workers_by_host(client: Client) -> dict[str, list[str]]:
    """Return the addresses of each host's workers, by the host's."""
    found: dict[str, list[str]] = {}
    for worker in sorted(client.scheduler_info(n_workers=-1)["workers"]):
        found.setdefault(str(urlsplit(worker).hostname), []).append(worker)
    return found


def heartbeat_in(file: Path) -> Heartbeat | None:
    """Return how far the training is; None when there is no sign of it yet."""
    try:
        return read(file, Heartbeat)
    except (FileNotFoundError, ValueError):
        return None
