"""What happens at every step beside the step: what is drawn at random, how long a gradient may be, how it is ended."""

from __future__ import annotations

import logging
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from models.distributed.strategy import GangStrategy
from models.layered import IDLE, Batch
from models.progress import DivergedError

logger = logging.getLogger(__name__)


class EndAtOnce(pl.Callback):
    """Has SIGTERM end the process: Lightning's way is a collective in the signal's handler, in which ranks hang.

    And one in every step, to ask for it: processes that do not step together would wait for each other there.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Put away Lightning's handler, and the question."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


class InTime(pl.Callback):
    """Ends a training after an epoch that is followed by none that would be done in time; starts are counted together.

    Args:
        seconds: For all of it; any when None.
        began: File that says when it was started first, seconds since 1970; made when it is not there.
    """

    def __init__(self, seconds: float | None, began: Path) -> None:
        self.seconds = seconds
        self.began = began

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write down when it was started, the first time."""
        if trainer.is_global_zero and not self.began.exists():
            self.began.write_text(str(time.time()))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """See when the epoch begins."""
        self._epoch_began = time.time()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Have all processes stop, if the clock of the first says so."""
        if self.seconds is None:
            return
        is_late = False
        if trainer.is_global_zero:
            now = time.time()
            is_late = now + (now - self._epoch_began) > float(self.began.read_text()) + self.seconds
        if trainer.strategy.reduce_boolean_decision(is_late, all=False):
            trainer.should_stop = True
            logger.info(
                "the time is up (train.max_seconds: %s): epoch %s was the last", self.seconds, trainer.current_epoch
            )

    def remark(self, epochs: int, wanted: int) -> str:
        """Say for people that there might have been more epochs; nothing when there might not."""
        if self.seconds is None or epochs == wanted:
            return ""
        return (
            f"The training took {epochs} of {wanted} epochs: no more was better, or would have been done in "
            f"train.max_seconds ({self.seconds:g})."
        )


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
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Seed torch's generator here and on this process's GPU."""
        if batch.step == IDLE:
            return
        place = np.random.SeedSequence([self.seed, batch.step, trainer.global_rank])
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
