"""One Dask cluster for the night, or the address of one that is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import BaseModel, Field, FilePath, PositiveInt, model_validator

if TYPE_CHECKING:
    from distributed import Client, SpecCluster

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

LOOPBACK = "127.0.0.1"


class TlsConfig(BaseModel, frozen=True, extra="forbid"):
    """By what a night and a running cluster know each other; scheduler and workers are started with the same."""

    ca_file: FilePath = Field(description="Certificate, PEM, of whoever vouches for everybody's.")
    cert: FilePath = Field(description="Certificate, PEM, that the night shows.")
    key: FilePath = Field(description="Its private key, PEM.")


class ClusterConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the night's Dask work runs."""

    address: str | None = Field(None, description="Scheduler of a running cluster; a local one is opened when omitted.")
    tls: TlsConfig | None = Field(None, description="Certificates for an `address` that begins with `tls://`.")
    workers: PositiveInt = Field(2, description="Worker processes of the local cluster, one thread each.")
    memory_limit: str = Field(
        "2GiB",
        pattern=r"^(auto|0|0\.\d+|\d{8,}|\d+(\.\d+)? ?[MGT]i?B)$",
        description="Of each local worker, such as `2GiB`; it spills, then pauses, then restarts. `auto` is its share "
        "of the machine's, `0.25` a quarter of all, `0` no limit.",
    )
    wait_seconds: PositiveInt = Field(
        120, description="For the local workers: to start, and to be there again when none is left."
    )
    dashboard_port: int = Field(8787, ge=0, le=65535, description="Of the local cluster's dashboard; 0 takes any free.")

    @model_validator(mode="after")
    def _certificates_go_with_their_address(self) -> Self:
        is_encrypted = (self.address or "").startswith("tls://")
        if is_encrypted != (self.tls is not None):
            raise ValueError(
                f"cluster.address {self.address!r} and cluster.tls do not go together: certificates are for an "
                "address that begins with tls://, and such a one needs them. Set both, or neither."
            )
        return self


@contextmanager
def dask_cluster(config: ClusterConfig) -> Iterator[str]:
    """Yield the scheduler's address; a cluster opened here is closed here.

    Its workers are programs of their own (``dask spec``), not forks of this one: they would import it once more. They
    die with this process. One that dies alone is started again, and its work is done by whoever is there; when nobody
    is, the work fails with ``distributed.scheduler.NoWorkerError`` after ``config.wait_seconds``.

    Raises:
        OSError: No scheduler answers at ``config.address``.
        TimeoutError: The local workers do not start.
    """
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.WARNING)  # on import it says every connection
    if config.address is not None:
        with _certificates(config.tls), Client(config.address, timeout="10s", set_as_default=False):
            yield config.address
        return
    with _local_cluster(config) as cluster:
        cluster.wait_for_workers(config.workers, timeout=config.wait_seconds)
        yield cluster.scheduler_address


@contextmanager
def _certificates(tls: TlsConfig | None) -> Iterator[None]:
    """Have every client of this process show a certificate: rooms connect by the address alone."""
    import dask

    own = {} if tls is None else {"ca-file": tls.ca_file, "client.cert": tls.cert, "client.key": tls.key}
    with dask.config.set({f"distributed.comm.tls.{name}": str(file) for name, file in own.items()}):
        yield


def on_workers(client: Client, function: Callable[[Asked], Answer], asked: Sequence[Asked]) -> list[Answer]:
    """Call ``function`` on the workers with each, and return the answers in order."""
    answers: list[Answer] = client.gather(client.map(function, asked, pure=False))
    return answers


def _local_cluster(config: ClusterConfig) -> SpecCluster:
    import dask
    from distributed import Scheduler, SpecCluster

    from tasks.worker import SELF_CHECKS, MortalWorker

    scheduler = {"host": LOOPBACK, "dashboard": True, "dashboard_address": f"{LOOPBACK}:{config.dashboard_port}"}
    worker = {
        "host": LOOPBACK,
        "nthreads": 1,
        "memory_limit": config.memory_limit,
        "silence_logs": logging.WARNING,
        "preload": [MortalWorker.__module__],
    }
    workers = {number: {"cls": MortalWorker, "options": {"worker_kwargs": worker}} for number in range(config.workers)}
    with dask.config.set({**SELF_CHECKS, "distributed.scheduler.no-workers-timeout": f"{config.wait_seconds} s"}):
        return SpecCluster(
            scheduler={"cls": Scheduler, "options": scheduler}, workers=workers, silence_logs=logging.WARNING
        )
