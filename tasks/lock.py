"""A lock that one process holds, and that the kernel frees when it is gone, however it went.

Errors of this module::

    LockedError               somebody else holds it
    └── NightRunningError     another night is at work on the same logs
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from data_contracts.night import Workspace

LOCK, UPKEEP_LOCK = ".lock", ".upkeep.lock"
POLL_SECONDS = 0.1
UPKEEP = "upkeep"
"""How the work of a holder begins that is soon done: no night gives up because of it."""
UPKEEP_SECONDS = 600.0


class LockedError(Exception):
    """Somebody else holds it; the message says who."""


class NightRunningError(LockedError):
    """Another night is at work on the same logs."""


@contextmanager
def locked(
    file: Path,
    what: str,
    *,
    seconds: float = 0.0,
    upkeep_seconds: float = 0.0,
    error: type[LockedError] = LockedError,
) -> Iterator[None]:
    """Hold a lock.

    Args:
        file: Locked; made when absent. Processes started under the lock do not hold it.
        what: The holder's work, for others to read; who and since when is added.
        seconds: How long to wait for it.
        upkeep_seconds: How much longer while the holder is at upkeep.
        error: Raised when it is not free.

    Raises:
        LockedError: It was not free within ``seconds``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as held:
        deadline = time.monotonic() + seconds
        while not _taken(held.fileno()):
            holder = file.read_text(encoding="utf-8") or "somebody"
            if time.monotonic() >= deadline + (upkeep_seconds if holder.startswith(UPKEEP) else 0.0):
                raise error(f"{holder} is at work in {file.parent}. Nothing was done. Wait for it, or end it.")
            time.sleep(POLL_SECONDS)
        since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        held.truncate(0)
        held.write(f"{what} (process {os.getpid()} on {socket.gethostname()}, since {since})")
        held.flush()
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def only_night(workspace: Workspace, flow_run: str, *, seconds: float = 0.0) -> Iterator[None]:
    """Be the only night at work on these logs.

    Args:
        workspace: Where they live.
        flow_run: Name of the night's run, for a second one to read.
        seconds: How long to wait for another night's end.

    Raises:
        NightRunningError: Another night is at work; it goes on as if nothing had happened.
    """
    lock = Path(workspace.home) / workspace.name / LOCK
    held = locked(lock, f"night {flow_run!r}", seconds=seconds, upkeep_seconds=UPKEEP_SECONDS, error=NightRunningError)
    with held:
        yield


@contextmanager
def between_nights(workspace: Workspace, flow_run: str, *, seconds: float) -> Iterator[None]:
    """Be at work for a moment while no night is; a night that begins meanwhile waits. Otherwise as `only_night`."""
    lock = Path(workspace.home) / workspace.name / LOCK
    with locked(lock, f"{UPKEEP} {flow_run!r}", seconds=seconds, error=NightRunningError):
        yield


@contextmanager
def only_upkeep(workspace: Workspace, flow_run: str) -> Iterator[None]:
    """Be the only upkeep of these logs; nights go on beside it.

    Raises:
        LockedError: Another one is at work.
    """
    with locked(Path(workspace.home) / workspace.name / UPKEEP_LOCK, f"{UPKEEP} {flow_run!r}"):
        yield
