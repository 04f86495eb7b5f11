"""Where a training goes on from after it was killed: a sealed folder for each epoch, written beside the one before.

::

    training/
    ├── step-0000000012/
    │   ├── training.ckpt    everything that Lightning goes on from; torch's file, read as data only
    │   ├── best.ckpt        that of the best epoch so far, by hard link
    │   ├── progress.json    `TrainingProgress`
    │   └── manifest.json    sha256 of the others
    └── step-0000000024/
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities import rank_zero_only

from data_contracts.job import commit, read
from data_contracts.manifest import damage, publish, verify
from data_contracts.night import Value
from models.progress import Progress

KEPT = 2
"""Checkpoints kept: the newest, and one to fall back to."""
TRAINING, BEST, PROGRESS = "training.ckpt", "best.ckpt", "progress.json"

logger = logging.getLogger(__name__)


class TrainingProgress(Value):
    """How far a training had come.

    Attributes:
        epochs: Done.
        samples: Examples seen, repeats counted.
        metrics: Of the last epoch; the one that decides is that of the best.
        ended: Whether that was all.
    """

    epochs: int
    samples: int
    metrics: dict[str, float]
    ended: bool


class Checkpoints(Checkpoint):
    """Saves the training at the end of every epoch, and finds where it goes on.

    Args:
        folder: Of this training alone.
        monitor: The metric that decides which epoch is best, the higher; the last one is when there is no such metric.
        progress: Counts examples.
    """

    def __init__(self, folder: Path, monitor: str, progress: Progress) -> None:
        self.folder = folder
        self.monitor = monitor
        self.progress = progress
        self.newest = self._newest_whole()

    def reached(self) -> TrainingProgress | None:
        """Say how far the newest checkpoint is; None when there is none."""
        return None if self.newest is None else read(self.newest / PROGRESS, TrainingProgress)

    def resumed(self) -> Path | None:
        """Return what Lightning goes on from; None when it starts."""
        return None if self.newest is None else self.newest / TRAINING

    def best_weights(self) -> dict[str, torch.Tensor]:
        """Return the module's state in the best epoch so far; there is a checkpoint.

        Raises:
            DamagedError: It was changed meanwhile.
        """
        assert self.newest is not None
        verify(self.newest)
        saved: dict[str, Any] = torch.load(self.newest / BEST, map_location="cpu", weights_only=True)
        weights: dict[str, torch.Tensor] = saved["state_dict"]
        return weights

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Remove damaged checkpoints, now that every process went on from the one before."""
        if trainer.is_global_zero:
            for folder in self._saved():
                if self.newest is None or folder.name > self.newest.name:
                    shutil.rmtree(folder)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Save, then remove what is older than the last `KEPT`."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        staged = self.folder / ".staged"
        if trainer.is_global_zero:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
        trainer.save_checkpoint(staged / TRAINING)  # by all processes, who wait for each other
        if trainer.is_global_zero:
            self._commit(trainer, staged, metrics)

    def _commit(self, trainer: pl.Trainer, staged: Path, metrics: dict[str, float]) -> None:
        """Add the best weights and how far it came to what was saved, and rename it; from now on it counts."""
        before, score = self.reached(), metrics.get(self.monitor)
        best = before.metrics.get(self.monitor) if before else None
        if self.newest is None or best is None or score is None or score > best:
            os.link(staged / TRAINING, staged / BEST)
        else:
            os.link(self.newest / BEST, staged / BEST)
            metrics = {**metrics, self.monitor: best}
        reached = TrainingProgress(
            epochs=trainer.current_epoch + 1,  # asked before `done`, which counts it itself
            samples=self.progress.samples,
            metrics=metrics,
            ended=trainer.fit_loop.done,
        )
        commit(reached, staged / PROGRESS)
        self.newest = self.folder / f"step-{trainer.global_step:010}"
        publish(staged, self.newest, "checkpoint")
        for old in self._saved()[:-KEPT]:
            shutil.rmtree(old)

    def _newest_whole(self) -> Path | None:
        for folder in reversed(self._saved()):
            problems = damage(folder)
            if not problems:
                return folder
            rank_zero_only(logger.warning)(
                "checkpoint %s is damaged, and refused: %s. The training goes on from the one before, if there is one.",
                folder,
                "; ".join(problems),
            )
        return None

    def _saved(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))
