"""Starts a training's processes as torchelastic does, without the seconds in which each would import torch and MLflow.

They are copies of a process that imported all that once, and nothing else: a server of forks, one per test run. What
follows from that: all have the same hash seed. Trainings under torchelastic's own agents are in tests/tasks/train.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from data_contracts.job import FitJob
from data_contracts.process import main
from models.fit import fit
from tasks.train.meeting import LOOPBACK
from tests.integration.conftest import free_ports

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.models.imported"])


def run_ranks(job: Path, processes: int, environment: Mapping[str, str], log: Path, memory: int | None = None) -> int:
    """Run ``models.fit`` in so many processes; return the exit code of the first that failed, with which all end.

    Args:
        job: Path of ``job.json``.
        processes: How many, on this host.
        environment: Of each, over what torchelastic would tell it.
        log: Gets what they say.
        memory: Bytes that each may take beside what it has when it begins; any when None.
    """
    log.write_bytes(b"")
    world = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "GROUP_WORLD_SIZE": 1, "GROUP_RANK": 0}
    (port,) = free_ports(1)
    meeting = {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "lab"}
    ranks = []
    for rank in range(processes):
        told = world | meeting | {"RANK": rank, "LOCAL_RANK": rank}
        own = {**os.environ, **{name: str(value) for name, value in told.items()}, **environment}
        ranks.append(_context.Process(target=_rank, args=(str(job), own, str(log), memory), daemon=True))
    try:
        for each in ranks:
            each.start()
        while (running := [each for each in ranks if each.exitcode is None]) and not (code := _failed(ranks)):
            wait([each.sentinel for each in running])
        return code or _failed(ranks)
    finally:
        for each in ranks:
            if each.pid is not None:
                each.kill()
                each.join()


def _failed(ranks: Sequence[BaseProcess]) -> int:
    """Return the exit code of a process that failed, 0 if none did."""
    return next((each.exitcode for each in ranks if each.exitcode), 0)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def limit_memory(further: int) -> None:
    """Let this process take so many bytes more; what it maps and does not write is none of its memory, to Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[5])
    most = pages * resource.getpagesize() + further
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def run_limited(work: Callable[..., None], *arguments: object, memory: int) -> int:
    """Do some work in a process that may take so many bytes; return its exit code."""
    process = _context.Process(target=_limited, args=(work, arguments, memory), daemon=True)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _limited(work: Callable[..., None], arguments: Sequence[object], memory: int) -> None:
    limit_memory(memory)
    work(*arguments)


def _rank(job: str, environment: dict[str, str], log: str, memory: int | None) -> None:
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["models.fit", job]
    if memory is not None:
        limit_memory(memory)
    rank_zero_only.rank = int(environment["RANK"])  # Lightning looks it up when it is imported
    main(FitJob, fit)
