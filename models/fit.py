"""Train one model: ``python -m torch.distributed.run ... -m models.fit job.json``, one process per rank."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.strategies import Strategy
from torch.distributed.elastic.multiprocessing.errors import record

from data_contracts.job import FitJob, FitResult
from data_contracts.manifest import publish, verify
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parallelism import Strategy as StrategyName
from models.checkpoints import Checkpoints
from models.distributed.ddp import Ddp
from models.fit_config import FitConfig
from models.job import main
from models.progress import Progress
from models.use_case import use_case

TRAINING, CHECKPOINT = "training", "checkpoint"
"""Folders of a run: what a training goes on from, and what it came to."""

logger = logging.getLogger(__name__)

_STRATEGIES: dict[StrategyName, Callable[[], Strategy]] = {"ddp": Ddp}


def fit(job: FitJob) -> FitResult | None:
    """Train to the end, going on from the newest whole checkpoint if there is one; best weights go to ``checkpoint``.

    Returns:
        What came out, from rank 0; None from every other.

    Raises:
        DamagedError: The weights to start from are not as they were shipped.
        DivergedError: The loss is no longer a number.
        ValueError: There is nothing to train on, or a setting is wrong.
    """
    torch.set_num_threads(job.parallelism.threads_per_process)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # Lightning, of torch's new names
    folder = Path(job.run_folder)
    parts = use_case(job.use_case)
    if job.warm_start is not None:
        verify(Path(job.warm_start))
    module = parts.module(job)
    config = FitConfig.model_validate(job.config.get("fit", {}))
    if config.precision == "64-true":
        module.double()  # before Lightning would: it restores a checkpoint first, and would round it
    progress = Progress()
    checkpoints = Checkpoints(folder / TRAINING, parts.monitor, progress)
    trainer = _trainer(job, config, [SeedOfEpoch(config.seed), progress, checkpoints], parts.monitor)
    reached = checkpoints.reached()
    if reached is None or not reached.ended:
        trainer.fit(module, datamodule=parts.data(job), ckpt_path=checkpoints.resumed(), weights_only=True)
    if not trainer.is_global_zero:
        return None
    module.load_state_dict(checkpoints.best_weights())
    staged = folder / f".{CHECKPOINT}.staged"
    shutil.rmtree(staged, ignore_errors=True)
    parts.save(module, staged)
    publish(staged, folder / CHECKPOINT, "weights")
    reached = checkpoints.reached()
    assert reached is not None
    return FitResult(
        checkpoint=str(folder / CHECKPOINT), epochs=reached.epochs, samples=reached.samples, metrics=reached.metrics
    )


class SeedOfEpoch(pl.Callback):
    """Makes what an epoch draws at random its own and each process's: a resumed training draws it again.

    Args:
        seed: Of the training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Seed torch on every device."""
        place = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))


def _trainer(job: FitJob, config: FitConfig, callbacks: list[pl.Callback], monitor: str) -> pl.Trainer:
    patience = EarlyStopping(monitor, mode="max", patience=config.patience, check_on_train_epoch_end=False)
    return pl.Trainer(
        accelerator=_accelerator(job.parallelism),
        devices=job.parallelism.processes_per_node,
        num_nodes=job.parallelism.num_nodes,
        strategy=_STRATEGIES[job.parallelism.strategy](),
        precision=config.precision,
        max_epochs=config.max_epochs,
        gradient_clip_val=config.clip_norm,
        callbacks=[patience, LearningRateMonitor("epoch"), *callbacks],
        logger=MLFlowLogger(tracking_uri=job.tracking_uri, run_id=job.run_id),
        default_root_dir=job.run_folder,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _accelerator(parallelism: ParallelismConfig) -> str:
    """Take GPUs when each process can have one, else CPUs."""
    return "gpu" if torch.cuda.device_count() >= parallelism.processes_per_node else "cpu"


if __name__ == "__main__":
    main(FitJob, record(fit))
