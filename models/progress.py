"""What a training says while it runs, and what stops it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT

from data_contracts.commit_point import commit_point
from data_contracts.job import Heartbeat, commit
from models.distributed.strategy import GangStrategy
from models.layered import Batch

TOLD_SECONDS = 10.0

logger = logging.getLogger(__name__)


class DivergedError(Exception):
    """A loss or a gradient is no longer a number.

    Args:
        trainer: Knows where that is.
        what: Of what, and what it is.
        batch: On which.
    """

    def __init__(self, trainer: pl.Trainer, what: str, batch: Batch) -> None:
        super().__init__(
            f"the {what} at step {trainer.global_step:,} (epoch {trainer.current_epoch}, rank {trainer.global_rank}), "
            f"on examples of {batch.origin}. The last good checkpoint is kept. Look at the newest of these windows; if "
            "they are as ever, lower the learning rate (in `model`), or raise model.fit.warm_up_steps."
        )


class Progress(pl.Callback):
    """Says how far it is and what an epoch came to, counts examples, and stops a training whose loss is no number.

    Args:
        file: Says how far the training is, every few seconds; `Heartbeat`.
    """

    def __init__(self, file: Path) -> None:
        self.samples = 0
        self.file = file
        self._loss = torch.zeros(2, dtype=torch.float64)  # of this process and epoch: summed over targets, targets
        now = time.monotonic()
        self._told, self._samples_told, self._due, self._epoch_began = now, 0, now, now

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start to sum up the loss, and to count the time; an epoch that is gone on with counts from there."""
        self._loss.zero_()
        self._epoch_began = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: STEP_OUTPUT,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Look at the loss of every step.

        Raises:
            DivergedError: It is not finite.
        """
        with commit_point("step"):
            self.samples += batch.examples
        assert isinstance(outputs, Mapping)
        loss = float(outputs["loss"])
        if not math.isfinite(loss):
            raise DivergedError(trainer, f"loss is {loss}", batch)
        total = batch.targets.total
        assert isinstance(trainer.strategy, GangStrategy)
        self._loss += torch.tensor([loss * total, total / trainer.strategy.sharers], dtype=torch.float64)
        if trainer.is_global_zero:
            self._tell(trainer, batch_idx + 1)

    def _tell(self, trainer: pl.Trainer, step: int) -> None:
        """Give a sign of life at the first step, and every few seconds."""
        now = time.monotonic()
        if now < self._due:
            return
        pace = (self.samples - self._samples_told) / (now - self._told)
        self._told, self._samples_told, self._due = now, self.samples, now + TOLD_SECONDS
        steps, epochs = int(trainer.num_training_batches), trainer.max_epochs or 1
        heartbeat = Heartbeat(epoch=trainer.current_epoch, epochs=epochs, step=step, steps=steps, pace=pace)
        commit(heartbeat, self.file)
        logger.info("%s", heartbeat)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what was measured."""
        total, targets = self._whole_loss(trainer).tolist()
        if targets:  # a parameter server may have learned all of the pass in an earlier start
            pl_module.log("train/loss", total / targets, batch_size=1, sync_dist=True)  # each has the same
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log("train/learning_rate", rate, batch_size=1, sync_dist=True)
        metrics = trainer.callback_metrics  # asked by every process: what is not computed yet is added over all of them
        if trainer.is_global_zero:
            seen = ", ".join(f"{name} {float(value):.4f}" for name, value in sorted(metrics.items()))
            logger.info("epoch %s: %s, %.0f s", trainer.current_epoch, seen, time.monotonic() - self._epoch_began)

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep the epoch's loss so far, of all processes, for as many as go on from here."""
        checkpoint["progress"] = {"samples": self.samples, "loss": self._whole_loss(trainer)}

    def _whole_loss(self, trainer: pl.Trainer) -> torch.Tensor:
        """Return the epoch's loss so far, of all processes; every process asks."""
        loss = self._loss.to(trainer.strategy.root_device, copy=True)
        whole: torch.Tensor = trainer.strategy.reduce(loss, reduce_op="sum")
        return whole.cpu()

    def on_load_checkpoint(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Go on counting."""
        self.samples = self._samples_told = checkpoint["progress"]["samples"]
        if trainer.is_global_zero:
            self._loss.copy_(checkpoint["progress"]["loss"])
