"""Starts a training's processes as torchelastic does, without the seconds in which each would import torch and MLflow.

They are copies of a process that imported all that once, and nothing else: a server of forks, one per test run.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import wait
from pathlib import Path

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  all that a training would import later
from pytorch_lightning.utilities import rank_zero_only

import models.recommender.data
import models.recommender.module
import models.recommender.use_case  # noqa: F401
import tests.faults.sitecustomize  # noqa: F401  it listens for faults, which the environment orders
from data_contracts.job import FitJob
from models.fit import fit
from models.job import main
from tasks.train.meeting import LOOPBACK
from tests.integration.conftest import free_ports

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def run_ranks(job: Path, processes: int, environment: Mapping[str, str], log: Path) -> int:
    """Run ``models.fit`` in so many processes; return the exit code of the first that failed, with which all end.

    Args:
        job: Path of ``job.json``.
        processes: How many, on this host.
        environment: Of each, over what torchelastic would tell it.
        log: Gets what they say.
    """
    log.write_bytes(b"")
    world = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "GROUP_WORLD_SIZE": 1, "GROUP_RANK": 0}
    (port,) = free_ports(1)
    meeting = {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "lab"}
    ranks = []
    for rank in range(processes):
        told = world | meeting | {"RANK": rank, "LOCAL_RANK": rank}
        own = {**os.environ, **{name: str(value) for name, value in told.items()}, **environment}
        ranks.append(_context.Process(target=_rank, args=(str(job), own, str(log))))
    for each in ranks:
        each.start()
    while running := [each for each in ranks if each.exitcode is None]:
        if any(each.exitcode for each in ranks):
            for each in running:
                each.kill()
        wait([each.sentinel for each in running])
    return next((each.exitcode for each in ranks if each.exitcode), 0)


def _rank(job: str, environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["models.fit", job]
    rank_zero_only.rank = int(environment["RANK"])  # Lightning looks it up when it is imported
    main(FitJob, fit)
