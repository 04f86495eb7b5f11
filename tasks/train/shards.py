"""The shards of a training's parameter server: processes on its hosts, started and ended with a host's agent."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_contracts.job import JOB, commit
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import SHARDS, STORE, ShardJob
from data_contracts.process import COMMAND, STARTER
from tasks.job import LOG, end

SERVE = "models.distributed.parameter_server.serve"
KILLED = "killed: if the kernel did it for lack of memory, raise train.parallelism.server.shards"
KEEPS_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:"
    "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=1073741824"
}
"""glibc would give messages of a megabyte back to the kernel at once, and have the next one's pages from it, zeroed."""


def dealt(parallelism: ParallelismConfig, hosts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Say which shards each host has: they take them in turn."""
    shards = parallelism.server.shards if parallelism.rows == "served" else 0
    return {host: tuple(range(place, shards, len(hosts))) for place, host in enumerate(hosts)}


@dataclass(frozen=True)
class HostsShards:
    """The shards of one host.

    Attributes:
        processes: By rank.
        folder: Of a training's shards.
    """

    processes: Mapping[int, subprocess.Popen[bytes]]
    folder: Path

    def lost(self) -> str:
        """Say which of them ended; nothing while all are there."""
        ended = {rank: process.poll() for rank, process in self.processes.items()}
        return "; ".join(
            f"shard {rank} of the parameter server ended with exit code {code}, see {self.folder / str(rank) / LOG}"
            + (f" ({KILLED})" if code == -signal.SIGKILL else "")
            for rank, code in ended.items()
            if code is not None
        )


@contextmanager
def serving(ranks: Sequence[int], host: str, folder: Path, environment: Mapping[str, str]) -> Iterator[HostsShards]:
    """Have shards on this host.

    Args:
        ranks: Which.
        host: Address of this host.
        folder: Of the training.
        environment: Of the processes; its `STORE` is where each says where it listens.
    """
    processes: dict[int, subprocess.Popen[bytes]] = {}
    try:
        for rank in ranks:
            job = ShardJob(store=environment[STORE], host=host, rank=rank)
            processes[rank] = _started(job, folder / SHARDS, environment)
        yield HostsShards(processes, folder / SHARDS)
    finally:
        for process in processes.values():
            end(process)


def _started(job: ShardJob, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    own = folder / str(job.rank)
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
