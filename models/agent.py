"""One host's part of a training: torchelastic's agent, whose ranks are forks of it.

`COMMAND` and ``models.agent OPTIONS MODULE job.json``, with torchrun's options. What ranks import, seconds of
processor time, is imported once for all of them, and a rank that was killed is back at once. The agent itself reads no
table, computes nothing and touches no GPU: a fork cannot go on with what another process began there.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import dynamic_rendezvous
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

from data_contracts.job import DEVICES, FitJob, commit, fail, read
from data_contracts.process import call, run
from models import memory
from models.devices import count_gpus, devices, idle
from models.use_case import use_case

logger = logging.getLogger(__name__)

SQL_STORE = "mlflow.store.tracking.sqlalchemy_store"
"""What the rank that logs imports where MLflow is a database: a second of processor time."""


def _name_of_caller(depth: int = 2) -> str:
    """Name the method that is so many calls up, for torchelastic's records.

    torchelastic asks that several times in each try to join, and its own way looks through all modules for the source:
    with as many as ranks need, 0.2 s of a processor each time. On a busy machine every try came too late, for the
    others had given a sign of life meanwhile: a host did not get in for minutes.
    """
    return sys._getframe(depth).f_code.co_name


dynamic_rendezvous.get_method_name = _name_of_caller


def serve(options: list[str]) -> None:
    """Start ranks, and start them again, until they have ended.

    Args:
        options: torchrun's, then the module that ranks run, and their job's file. The number of processes is that of
            cores, where the job leaves it to the host.

    Raises:
        ChildFailedError: They ended more often than they may.
    """
    told = parse_args(options)  # type: ignore[no-untyped-call]
    module, (path,) = told.training_script, told.training_script_args
    config, _, _ = config_from_args(told)
    importlib.import_module(module)
    del sys.modules[module]  # it is a program of its own in each rank
    try:
        job = read(Path(path), FitJob)
    except ValidationError:  # of several trainings, say: ranks import the rest by themselves
        elastic_launch(replace(config, start_method="fork"), rank)(module, path)
        return
    _import_for(job)
    host = told.local_addr or "localhost"
    processes = _settle(job, host, cores=config.nproc_per_node)
    memory.count_from_here()
    try:
        elastic_launch(replace(config, start_method="fork", nproc_per_node=processes), rank)(module, path)
    except ChildFailedError:
        if kills := memory.killed():
            fail(job, host, f"{memory.said(kills)} {memory.ADVICE}")
        raise


def _settle(job: FitJob, host: str, *, cores: int) -> int:
    """Decide in how many processes this host trains, and say on what, before it meets the others."""
    try:
        found = devices(job.parallelism, host, gpus=count_gpus(), cores=cores)
    except ValueError as error:
        fail(job, host, str(error))
        sys.exit(str(error))
    if message := idle(found, host):
        logger.warning(message)
    folder = Path(job.run_folder) / DEVICES
    folder.mkdir(exist_ok=True)
    commit(found, folder / f"{host}.json")
    return found.processes


def _import_for(job: FitJob) -> None:
    """Import what ranks need."""
    use_case(job.use_case)
    importlib.import_module("mlflow" if job.tracking_uri.startswith("http") else SQL_STORE)


def rank(module: str, path: str) -> None:
    """Run a job's module in this process, a fork, as a new one would."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)  # torchelastic's handlers are the agent's
    rank_zero_only.rank = int(os.environ["RANK"])  # type: ignore[attr-defined]  # looked up when it was imported
    call(f"rank {os.environ['RANK']}")
    run(module, path)


if __name__ == "__main__":
    serve(sys.argv[1:])
