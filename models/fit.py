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
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.strategies import Strategy
from torch.distributed.elastic.multiprocessing.errors import record

from data_contracts.commit_point import commit_point
from data_contracts.job import FitJob, FitResult
from data_contracts.manifest import verify
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parallelism import Strategy as StrategyName
from models.distributed.ddp import Ddp
from models.fit_config import FitConfig
from models.job import main
from models.progress import Progress
from models.use_case import use_case

CHECKPOINT = "checkpoint"
TRAINING, BEST, LAST = "training", "best", "last"
"""Folder and names of Lightning's own checkpoints, which stay inside training."""

logger = logging.getLogger(__name__)

_STRATEGIES: dict[StrategyName, Callable[[], Strategy]] = {"ddp": Ddp}


def fit(job: FitJob) -> FitResult | None:
    """Train to the end, going on from the last whole epoch if there is one; best weights go to ``checkpoint``.

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
    best = _checkpoint(folder / TRAINING, BEST, monitor=parts.monitor)
    last = _checkpoint(folder / TRAINING, LAST, monitor=None)
    trainer = _trainer(job, config, [SeedOfEpoch(config.seed), progress, best, last], parts.monitor)
    resumed = folder / TRAINING / f"{LAST}.ckpt"
    trainer.fit(module, datamodule=parts.data(job), ckpt_path=resumed if resumed.exists() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    chosen = best.best_model_path or last.best_model_path
    module.load_state_dict(torch.load(chosen, map_location="cpu", weights_only=True)["state_dict"])
    _publish(folder / CHECKPOINT, lambda staged: parts.save(module, staged))
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if best.best_model_score is not None:
        metrics[parts.monitor] = float(best.best_model_score)
    return FitResult(
        checkpoint=str(folder / CHECKPOINT), epochs=trainer.current_epoch, samples=progress.samples, metrics=metrics
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


def _checkpoint(folder: Path, name: str, *, monitor: str | None) -> ModelCheckpoint:
    """Keep one of Lightning's checkpoints: that of the best ``monitor``, or of the last epoch when there is none."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=name,
        monitor=monitor,
        mode="max",
        save_on_train_epoch_end=monitor is None,
        enable_version_counter=False,
    )


def _publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder so that it is whole whenever it is there."""
    staged = folder.with_name(f".{folder.name}.staged")
    shutil.rmtree(staged, ignore_errors=True)
    write(staged)
    shutil.rmtree(folder, ignore_errors=True)
    with commit_point("weights"):
        staged.rename(folder)


if __name__ == "__main__":
    main(FitJob, record(fit))
