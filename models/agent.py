"""One host's part of a training: torchelastic's agent, whose ranks are forks of it.

`COMMAND` and ``models.agent OPTIONS MODULE job.json``, with torchrun's options. What ranks import, seconds of
processor time, is imported once for all of them, and a rank that was killed is back at once. The agent itself reads no
table, computes nothing and touches no GPU: a fork cannot go on with what another process began there.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

from data_contracts.job import FitJob, read
from data_contracts.process import call, run
from models.use_cases import use_case

SQL_STORE = "mlflow.store.tracking.sqlalchemy_store"
"""What the rank that logs imports where MLflow is a database: a second of processor time."""


def serve(options: list[str]) -> None:
    """Start ranks, and start them again, until they have ended.

    Args:
        options: torchrun's, then the module that ranks run, and their job's file.

    Raises:
        ChildFailedError: They ended more often than they may.
    """
    told = parse_args(options)  # type: ignore[no-untyped-call]
    module, (path,) = told.training_script, told.training_script_args
    _import_for(Path(path), module)
    config, _, _ = config_from_args(told)
    elastic_launch(replace(config, start_method="fork"), rank)(module, path)


def _import_for(file: Path, module: str) -> None:
    """Import what ranks need, and forget the module itself: it is a program of its own in each of them."""
    importlib.import_module(module)
    del sys.modules[module]
    try:
        job = read(file, FitJob)
    except ValidationError:  # of several trainings, say: ranks import the rest by themselves
        return
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
