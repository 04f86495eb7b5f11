"""A lock that one process holds, and that the kernel frees when it is gone, however it went."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.1


class LockedError(Exception):
    """Somebody else holds it; the message says who."""


@contextmanager
def locked(file: Path, what: str, *, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock.

    Args:
        file: Locked; made when absent. Processes started under the lock do not hold it.
        what: The holder, for others to read: who works here.
        seconds: How long to wait for it.

    Raises:
        LockedError: It was not free within ``seconds``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as held:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    holder = file.read_text(encoding="utf-8") or "somebody"
                    raise LockedError(
                        f"{holder} is at work in {file.parent}: its lock was not free within {seconds:g} s."
                    ) from error
                time.sleep(POLL_SECONDS)
        held.truncate(0)
        held.write(what)
        held.flush()
        yield
