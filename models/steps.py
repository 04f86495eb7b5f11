"""What happens at every step beside the step: what is drawn at random, how long a gradient may be, how it is ended."""

from __future__ import annotations

import math
import signal

import numpy as np
import pytorch_lightning as pl
import torch

from models.distributed.strategy import GangStrategy
from models.layered import Batch
from models.progress import DivergedError


class EndAtOnce(pl.Callback):
    """Has SIGTERM end the process: Lightning's way is a collective in the signal's handler, in which ranks hang."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Put away Lightning's handler."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class SeedOfStep(pl.Callback):
    """Makes what a step draws at random its own and each process's: a resumed training draws it again.

    Args:
        seed: Of the training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        batch: Batch,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Seed torch's generator here and on this process's GPU."""
        place = np.random.SeedSequence([self.seed, trainer.global_step, trainer.global_rank])
        seed = int(place.generate_state(1, np.uint64)[0])
        torch.default_generator.manual_seed(seed)  # torch.manual_seed asks every kind of device there is: 4 ms
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed)


class Clip(pl.Callback):
    """Scales a gradient that is too long, all of it, whoever holds its parts.

    Args:
        longest: What it is scaled down to.
    """

    def __init__(self, longest: float) -> None:
        self.longest = longest

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Remember the batch."""
        self._batch = batch

    def on_before_optimizer_step(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        optimizer: torch.optim.Optimizer,  # noqa: ARG002
    ) -> None:
        """Have the strategy do it: it knows who holds what.

        Raises:
            DivergedError: It has no length; no weight was changed by it.
        """
        assert isinstance(trainer.strategy, GangStrategy)
        length = trainer.strategy.clip_gradients(self.longest)
        if not math.isfinite(length):
            raise DivergedError(trainer, f"gradient's length is {length}", self._batch)
