"""Which hosts a Dask cluster has, and which of them are lost: by its scheduler's word, and no other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from distributed import Client

from tasks.job import JobFailedError

MISSES = 5
"""Answers in a row that leave a worker out, before it is lost."""
ANSWER_SECONDS = 5.0
"""How long the scheduler has for an answer, before it is asked again."""


class Presence:
    """Which workers are there: one is lost once `MISSES` answers in a row did not list it.

    Answers alone count, so a scheduler that is busy or stopped makes nobody lost, however long it is.
    """

    def __init__(self) -> None:
        self._missed: dict[str, int] = {}

    def hear(self, listed: Collection[str]) -> None:
        """Take an answer: the addresses of the workers that it lists."""
        missed = {worker: times + 1 for worker, times in self._missed.items() if times + 1 < MISSES}
        self._missed = missed | dict.fromkeys(listed, 0)

    def __contains__(self, worker: str) -> bool:
        """Whether this worker came, and is not lost."""
        return worker in self._missed


class Hosts:
    """The hosts of a cluster, asked for again and again.

    Args:
        client: Of the cluster.
        on_line: Is told, once, when the scheduler does not answer.

    Attributes:
        present: Its workers.
    """

    def __init__(self, client: Client, on_line: Callable[[str], None]) -> None:
        self.present = Presence()
        self._client, self._on_line = client, on_line
        self._silent = False

    def ask(self) -> dict[str, list[str]] | None:
        """Return the addresses of the workers that the scheduler lists, by host; None when it does not answer.

        Raises:
            JobFailedError: Dask gave the scheduler up.
        """
        workers = listed_workers(self._client)
        if workers is None and not self._silent:
            self._on_line("Dask's scheduler does not answer: what trains goes on, and no host counts as lost meanwhile")
        self._silent = workers is None
        if workers is None:
            return None
        self.present.hear(workers)
        found: dict[str, list[str]] = {}
        for worker in workers:
            found.setdefault(str(urlsplit(worker).hostname), []).append(worker)
        return found


def listed_workers(client: Client) -> list[str] | None:
    """Ask the scheduler itself for its workers' addresses; None when it does not answer in time.

    What the client remembers, `scheduler_info`, is no answer: every two seconds it is overwritten with one that lists
    nobody.

    Raises:
        JobFailedError: Dask gave the scheduler up.
    """
    if client.scheduler is None:
        raise JobFailedError(
            "Dask's scheduler is gone, and its workers end with it. Start them again, and then the night: it goes on "
            "from the last checkpoint."
        )
    try:
        answer = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
    except OSError:  # a time-out is one
        return None
    return sorted(answer["workers"])
