"""The servers of one machine: where they are, and how each is known to be well."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flows.databases import own_mlflow
from flows.manager import ServiceError
from flows.settings import NightlySettings

PATIENCE_SECONDS = 60.0
"""How long a server that listens may take to answer: on a busy machine it is slow, not absent."""
POOL = "nightshift"
"""Prefect's work pool, as prefect.yaml names it."""


class Answer(StrEnum):
    """What comes of asking a server how it is."""

    WELL = "answers"
    SLOW = f"is slow: it listens, and said nothing for {PATIENCE_SECONDS:.0f} s"
    ABSENT = "does not answer"


@dataclass(frozen=True)
class Service:
    """One program of supervisord.conf, where people open it, and how it is known to be well.

    Attributes:
        name: In supervisord.conf.
        url: Where people open it.
        health: Address that answers when it is well.
        asks: JSON that is sent to that address, if any.
        says: What the answer must contain.
        listens: Whether it has a port of its own.
    """

    name: str
    url: str
    health: str
    asks: bytes | None = None
    says: bytes = b""
    listens: bool = True

    def ask(self, seconds: float = PATIENCE_SECONDS) -> Answer:
        """Ask whether it is well: a refused connection is absent at once, one that listens is waited for."""
        try:
            asked = Request(self.health, self.asks, {"content-type": "application/json"})
            with urlopen(asked, timeout=seconds) as response:
                return Answer.WELL if self.says in response.read() else Answer.ABSENT
        except TimeoutError:
            return Answer.SLOW
        except URLError as error:
            return Answer.SLOW if isinstance(error.reason, TimeoutError) else Answer.ABSENT
        except (HTTPException, OSError):
            return Answer.ABSENT

    def answers(self) -> bool:
        """Whether it says that it is well."""
        return self.ask() is Answer.WELL

    def is_up(self) -> bool:
        """Whether it answers; it does not when nobody is there.

        Raises:
            ServiceError: It is too slow to tell.
        """
        answer = self.ask()
        if answer is Answer.SLOW:
            raise ServiceError(f"{self.name}: {self.url} {answer.value}. `make down` ends what was started here.")
        return answer is Answer.WELL

    def port_taken(self) -> bool:
        """Whether something listens on its port, well or not."""
        address = urlsplit(self.url)
        try:
            socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS).close()
        except OSError:
            return False
        return True


def services(settings: NightlySettings) -> tuple[Service, ...]:
    """Return every service that is started here; Prefect's server has the worker's word, its pool paused or not."""
    prefect, mlflow, rest = settings.prefect_url, settings.mlflow_url, settings.serving.rest_url
    pool, online = f"{prefect}/api/work_pools/{POOL}", b'{"workers": {"status": {"any_": ["ONLINE"]}}}'
    return (
        Service("prefect", prefect, f"{prefect}/api/health"),
        *([Service("mlflow", mlflow, f"{mlflow}/health")] if own_mlflow(settings) else []),
        Service("worker", prefect, f"{pool}/workers/filter", asks=online, says=b'"ONLINE"', listens=False),
        Service("server", rest, f"{rest}/v2/health/live"),
    )
