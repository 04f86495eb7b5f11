"""What a training says while it runs, and what stops it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Protocol

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import STEP_OUTPUT

from data_contracts.commit_point import commit_point

logger = logging.getLogger(__name__)


class GlobalBatch(Protocol):
    """What every use case's batch says about itself."""

    examples: int
    """Rows in the global batch, over all processes together."""


class DivergedError(Exception):
    """The loss is no longer a number."""


class Progress(pl.Callback):
    """Says what an epoch came to, counts examples, and stops a training whose loss is no number."""

    def __init__(self) -> None:
        self.samples = 0
        self.started = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: STEP_OUTPUT,
        batch: GlobalBatch,
        batch_idx: int,  # noqa: ARG002
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
            raise DivergedError(
                f"the loss is {loss} at step {trainer.global_step:,} (epoch {trainer.current_epoch}, "
                f"rank {trainer.global_rank}). Lower model.optimizer.learning_rate, or raise model.fit.warm_up_steps."
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Say what was measured."""
        metrics = trainer.callback_metrics  # asked by every process: what is not computed yet is added over all of them
        if trainer.is_global_zero:
            seen = ", ".join(f"{name} {float(value):.4f}" for name, value in sorted(metrics.items()))
            logger.info("epoch %s: %s, %.0f s", trainer.current_epoch, seen, time.monotonic() - self.started)

    def state_dict(self) -> dict[str, int]:
        """Return what a resumed training goes on from."""
        return {"samples": self.samples}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on counting."""
        self.samples = state_dict["samples"]
