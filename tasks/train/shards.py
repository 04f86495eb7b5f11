"""The shards of a training's parameter server: a process on each of its hosts, started and ended with its agent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_contracts.job import JOB, commit
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import SHARDS, STORE, Seat, ShardJob
from data_contracts.process import COMMAND, STARTER
from tasks.job import LOG, end

SERVE = "models.distributed.parameter_server.serve"
SNAPSHOTS = "snapshots"
"""In the folder of a training's shards: a folder of each meeting."""
KEEPS_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:"
    "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=1073741824"
}
"""glibc would give messages of a megabyte back to the kernel at once, and have the next one's pages from it, zeroed."""


def dealt(parallelism: ParallelismConfig, hosts: Sequence[str]) -> dict[str, tuple[Seat, ...]]:
    """Say which shards each host has: they take them in turn, and the second process of one is the next host's."""
    found: dict[str, list[Seat]] = {host: [] for host in hosts}
    for rank in range(parallelism.server.shards if parallelism.rows == "served" else 0):
        for replica in range(parallelism.server.replicas):
            found[hosts[(rank + replica) % len(hosts)]].append(Seat(rank=rank, replica=replica))
    return {host: tuple(seats) for host, seats in found.items()}


@dataclass(frozen=True)
class HostsShards:
    """The shards of one host.

    Attributes:
        process: That has them; None where there are none.
        log: Its.
    """

    process: subprocess.Popen[bytes] | None
    log: Path

    def lost(self) -> str:
        """Say that they ended for good; nothing while they are there, or are started again."""
        code = None if self.process is None else self.process.poll()
        return "" if code is None else f"the parameter server on this host ended with exit code {code}, see {self.log}"


@contextmanager
def serving(
    seats: Sequence[Seat], host: str, folder: Path, parallelism: ParallelismConfig, environment: Mapping[str, str]
) -> Iterator[HostsShards]:
    """Have shards on this host.

    Args:
        seats: Which.
        host: Address of this host.
        folder: Of the training.
        parallelism: Of it.
        environment: Of the processes; its `STORE` is where each says where it listens.
    """
    own = folder / SHARDS / host
    if not seats:
        yield HostsShards(None, own / LOG)
        return
    snapshots = folder / SHARDS / SNAPSHOTS / environment[STORE].rpartition("/")[2]
    server = parallelism.server
    job = ShardJob(
        store=environment[STORE],
        host=host,
        seats=tuple(seats),
        snapshots=str(snapshots),
        snapshot_seconds=server.snapshot_seconds,
        max_restarts=parallelism.max_restarts,
        token_from=server.token_from,
        metrics_port=server.metrics_port,
        replicas=server.replicas,
    )
    process = _started(job, own, environment)
    try:
        yield HostsShards(process, own / LOG)
    finally:
        end(process)
        shutil.rmtree(snapshots, ignore_errors=True)


def _started(job: ShardJob, own: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    own.mkdir(parents=True, exist_ok=True)
    commit(job, own / JOB)
    with (own / LOG).open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [*COMMAND, SERVE, str(own / JOB)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, **KEEPS_MEMORY, STARTER: str(os.getpid())},
        )
