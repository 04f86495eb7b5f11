"""Train one model: `COMMAND` and ``models.agent ... models.fit job.json``, one process per rank."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Literal

import pytorch_lightning as pl
import torch

from data_contracts.job import BEGAN, HEARTBEAT, LEDGER, TRAINING, FitJob, FitResult, fail
from data_contracts.manifest import DamagedError, verify
from data_contracts.parallelism import ParallelismConfig
from data_contracts.process import main
from models import memory
from models.audit import LedgerError, account, audit, log_audit
from models.averages import Averages
from models.best import write_best
from models.checkpoints import Checkpoints, TrainingProgress
from models.distributed.server_report import ServerReport
from models.fit_config import FitConfig
from models.layered import LayeredModule
from models.ledger import Ledger
from models.progress import DivergedError, Progress
from models.rows.optimizer import give_back
from models.steps import Clip, EndAtOnce, InTime, SeedOfStep
from models.trainer import fit_layers, make_trainer, patience, rank
from models.use_case import UseCase, use_case

logger = logging.getLogger(__name__)

PROGRAMMING = (TypeError, AttributeError, NameError, ImportError)
"""Errors of a program, a use case's own say: no process that was killed is to blame."""
FINAL = (*PROGRAMMING, ValueError, DamagedError, DivergedError, LedgerError)
"""What would fail again."""


def train(job: FitJob) -> FitResult | None:
    """Train to the end, going on from the newest whole checkpoint if there is one; see `write_best` for what follows.

    Returns:
        What came out, from rank 0; None from every other.

    Raises:
        DamagedError: The weights to start from are not as they were shipped.
        DivergedError: The loss is no longer a number.
        MemoryError: The kernel killed processes for lack of it, again and again.
        ValueError: There is nothing to train on, or a setting is wrong.
    """
    _hush()
    _require_memory()
    torch.set_num_threads(job.parallelism.threads_per_process)
    folder, parts = Path(job.run_folder), use_case(job.use_case)
    config = FitConfig.model_validate(job.config.get("fit", {}))
    in_time = InTime(job.max_seconds, folder / BEGAN)
    checkpoints, device = _trained(job, parts, config, in_time)
    if rank() and job.parallelism.rows == "local":
        return None
    reached = checkpoints.reached()
    assert reached is not None
    if not rank():
        _check(job, reached)
    rows: Literal["local", "sharded"] = "local" if job.parallelism.rows == "local" else "sharded"  # as they are saved
    alone = job.model_copy(update={"parallelism": ParallelismConfig(rows=rows)})
    module = _module(parts, alone, config)  # its layers whole again, whatever was left of the other
    written = write_best(parts, module, checkpoints, job, device)
    if rank():
        return None
    return FitResult(
        checkpoint=str(written),
        epochs=reached.epochs,
        samples=reached.samples,
        metrics=reached.metrics,
        remark=in_time.remark(reached.epochs, config.max_epochs),
    )


def _trained(job: FitJob, parts: UseCase, config: FitConfig, in_time: InTime) -> tuple[Checkpoints, torch.device]:
    """Train to the end, and return what was saved and the device that processes meet on; they can meet again."""
    folder = Path(job.run_folder)
    parallelism = job.parallelism.with_processes(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if job.warm_start is not None:
        verify(Path(job.warm_start))
    module = _module(parts, job, config)
    fit_layers(module.network.layers(), parallelism, config)
    heartbeat = folder / HEARTBEAT
    heartbeat.parent.mkdir(exist_ok=True)
    progress = Progress(heartbeat)
    checkpoints = Checkpoints(
        folder / TRAINING, job.run_id, job.checkpoints, module.monitor, progress, sign=module.sign
    )
    data, ledger = parts.data(job), Ledger(folder / LEDGER)
    steps = [SeedOfStep(config.seed), Clip(config.clip_norm), Averages()]
    callbacks = [
        *(Reason(job), patience(module, config), EndAtOnce(), in_time, *steps),
        *(progress, ServerReport(), ledger, checkpoints),
    ]
    trainer = make_trainer(job, parallelism, config, callbacks)
    reached = checkpoints.reached()
    if reached is None or not reached.ended:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoints.resumed(), weights_only=True)
        give_back(trainer.optimizers)
    elif parallelism.rows != "local":
        trainer.strategy.setup_environment()
    return checkpoints, trainer.strategy.root_device


def _hush() -> None:
    """Leave out what libraries say and nobody can act on."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="You have overridden `transfer_batch_to_device`")  # it is the module's
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # Lightning, of torch's new names
    warnings.filterwarnings("ignore", message=".*across ranks is zero")  # nothing to validate on: the data says so
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # each reads the best weights alone


def _module(parts: UseCase, job: FitJob, config: FitConfig) -> LayeredModule:
    module = parts.module(job)
    return module.double() if config.precision == "64-true" else module


def _check(job: FitJob, reached: TrainingProgress) -> None:
    """See that every example was seen, whichever start saw it, and keep on the run what the ledger says.

    Raises:
        LedgerError: See `audit`.
    """
    found = account(Path(job.run_folder) / LEDGER)
    log_audit(found, reached.examples, tracking_uri=job.tracking_uri, run_id=job.run_id)
    audit(found, reached.examples)
    logger.info(
        "every one of %s examples was seen once in every epoch; started %s times, %s of %s steps were repeated",
        *(f"{number:,}" for number in (reached.examples, found.starts, found.repeated, len(found.steps))),
    )


def _require_memory() -> None:
    """Say that processes were killed for lack of memory.

    Raises:
        MemoryError: It will happen again.
    """
    kills = memory.killed()
    if min(kills, int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))) >= memory.MOST_KILLS:
        raise MemoryError(memory.said(kills))
    if kills and os.environ.get("LOCAL_RANK", "0") == "0":
        logger.warning(memory.said(kills))


class Reason(pl.Callback):
    """Writes down why this process fails before it leaves the others, see `fit`.

    They fail then, too, and once the first process has ended all are killed: this one, on its way out, as well.

    Args:
        job: That it does.
    """

    def __init__(self, job: FitJob) -> None:
        self.job = job

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Write it down; Lightning calls this first of all."""
        _write_down(exception, self.job)


def fit(job: FitJob) -> FitResult | None:
    """See `train`; what would fail again is written down, so that nobody starts it again.

    When another process was killed, this one fails too, in many ways: those are not written down.
    """
    try:
        return train(job)
    except (*FINAL, MemoryError, RuntimeError, OSError) as error:
        _write_down(error, job)
        raise


def _write_down(error: BaseException, job: FitJob) -> None:
    """Write down why this process fails, if it would fail again."""
    lacks_memory = memory.is_out_of_memory(error)
    if lacks_memory or isinstance(error, FINAL):
        said = f"rank {rank()}: {type(error).__name__}: {error}"
        fail(job, str(rank()), f"{said}\n{memory.ADVICE}" if lacks_memory else said)


if __name__ == "__main__":
    main(FitJob, fit)
