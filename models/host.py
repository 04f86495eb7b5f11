"""What the processes of one host share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import distributed

Made = TypeVar("Made")


def once_per_host(name: str, write: Callable[[Path], None], read: Callable[[Path], Made]) -> Made:
    """Have one process of each host write files, and all of them read these, which are gone afterwards.

    Args:
        name: Of them, among all that is made on a host; what a killed process left under it is removed.
        write: Writes them into a folder.
        read: Maps them into memory; it must not need the files by name any more.
    """
    if not distributed.is_initialized():
        with tempfile.TemporaryDirectory(prefix="nightshift-") as alone:
            write(Path(alone))
            return read(Path(alone))
    rank, place = distributed.get_rank(), distributed.get_node_local_rank(fallback_rank=0)
    folder = Path(tempfile.gettempdir()) / f"nightshift-{name}-{rank}" if place == 0 else None
    try:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            write(folder)
        folders: list[Path | None] = [None] * distributed.get_world_size()
        distributed.all_gather_object(folders, folder)
        shared = folders[rank - place]
        assert shared is not None
        found = read(shared)
        distributed.barrier()
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    return found
