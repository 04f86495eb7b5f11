"""Where a training goes on from after it was killed: sealed folders, each written beside the one before and renamed.

::

    training/
    ├── step-0000000012/
    │   ├── newest/          everything that a training goes on from, see `models.distributed.saved`
    │   ├── best/            that of the best epoch so far, by hard links; absent before the first epoch's end
    │   ├── progress.json    `TrainingProgress`
    │   └── manifest.json    sha256 of the others
    └── step-0000000024/

What is random needs no saving: it follows from seed, step and process (`models.steps.SeedOfStep`).
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from concurrent.futures import Future
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import nn

from data_contracts.job import CheckpointConfig, commit, read
from data_contracts.manifest import damage, publish, verify
from data_contracts.night import Value
from models.distributed.saved import Splits, load_averages
from models.distributed.strategy import GangStrategy
from models.layered import Batch, Loader
from models.progress import Progress

NEWEST, BEST, PROGRESS = "newest", "best", "progress.json"
STEPS_BEFORE_TIMED = 5
"""Steps after a start from which their pace is known."""

logger = logging.getLogger(__name__)


class TrainingProgress(Value):
    """How far a training had come.

    Attributes:
        run_id: Of the MLflow run.
        steps: Done.
        epochs: Done.
        samples: Examples seen, repeats counted.
        examples: In an epoch.
        metrics: Of the last epoch; the one that decides is that of the best.
        ended: Whether that was all.
    """

    run_id: str
    steps: int
    epochs: int
    samples: int
    examples: int
    metrics: dict[str, float]
    ended: bool


class Checkpoints(Checkpoint):
    """Saves the training every few seconds and at the end of every epoch, and finds where it goes on.

    Args:
        folder: Of this training alone.
        run_id: Of its MLflow run.
        config: How often, and how many are kept.
        monitor: The metric that decides which epoch is best; the last one is when there is no such metric.
        progress: Counts examples.
        sign: 1 where more of the metric is better, -1 where less is.
    """

    def __init__(
        self, folder: Path, run_id: str, config: CheckpointConfig, monitor: str, progress: Progress, *, sign: int
    ) -> None:
        self.folder = folder
        self.run_id = run_id
        self.config = config
        self.monitor = monitor
        self.sign = sign
        self.progress = progress
        self.newest = self._newest_whole()
        self._writing: Future[None] | None = None

    def reached(self) -> TrainingProgress | None:
        """Say how far the newest checkpoint is; None when there is none."""
        return None if self.newest is None else read(self.newest / PROGRESS, TrainingProgress)

    def resumed(self) -> Path | None:
        """Return what Lightning goes on from; None when it starts."""
        return None if self.newest is None else self.newest / NEWEST

    def load_best(self, parameters: dict[str, nn.Parameter], splits: Splits) -> None:
        """Fill parameters with those of the best epoch, see `load_averages`; there is one.

        Raises:
            DamagedError: It was changed meanwhile.
        """
        assert self.newest is not None
        verify(self.newest)
        load_averages(self.newest / BEST, parameters, splits)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Remove damaged checkpoints, now that every process went on from the one before.

        Raises:
            RuntimeError: Processes went on from different ones: a host did not see the newest. They start again.
        """
        step = torch.tensor([trainer.global_step, -trainer.global_step], device=trainer.strategy.root_device)
        newest, oldest = trainer.strategy.reduce(step, reduce_op="max").tolist()
        if newest != -oldest:
            raise RuntimeError(f"processes went on from steps {-oldest:,} and {newest:,}: {self.folder} is not one.")
        self._started, self._start, self._due = time.monotonic(), trainer.global_step, trainer.global_step
        self._pace(trainer, STEPS_BEFORE_TIMED)
        if trainer.is_global_zero:
            for folder in self._saved():
                if self.newest is None or folder.name > self.newest.name:
                    shutil.rmtree(folder)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: STEP_OUTPUT,  # noqa: ARG002
        batch: Batch,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Save if it is time, and the epoch is not about to."""
        assert isinstance(trainer.strategy, GangStrategy)
        if trainer.global_step < self._due or not trainer.strategy.together:
            return
        if self._timed and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._save(trainer, {}, epochs=trainer.current_epoch, ended=False)
        self._pace(trainer, None)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Save, and remember which epoch was the best."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._save(trainer, metrics, epochs=trainer.current_epoch + 1, ended=trainer.fit_loop.done)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Wait for the last one, and have every process know it."""
        self._written(trainer)
        self.newest = trainer.strategy.broadcast(self.newest)

    def _pace(self, trainer: pl.Trainer, steps: int | None) -> None:
        """Agree on the next step that is saved: the first process's clock decides, and asking it every step costs."""
        self._timed = steps is None
        if steps is None:
            done = trainer.global_step - self._start
            passed = time.monotonic() - self._started
            left = self.config.every_seconds - passed % self.config.every_seconds
            steps = trainer.strategy.broadcast(max(1, round(left * done / passed)))
        self._due = trainer.global_step + steps

    def _save(self, trainer: pl.Trainer, metrics: dict[str, float], *, epochs: int, ended: bool) -> None:
        """Copy the training and go on; it is written, sealed and renamed meanwhile."""
        self._written(trainer)
        strategy = trainer.strategy
        assert isinstance(strategy, GangStrategy)
        staged = self.folder / ".staged"
        if trainer.is_global_zero:
            shutil.rmtree(staged, ignore_errors=True)
            (staged / NEWEST).mkdir(parents=True)
        strategy.barrier()
        trainer.save_checkpoint(staged / NEWEST)  # by all processes, who wait for each other
        self._writing = strategy.writing
        if trainer.is_global_zero:
            loader = trainer.train_dataloader
            assert isinstance(loader, Loader)
            reached = TrainingProgress(
                run_id=self.run_id,
                steps=trainer.global_step,
                epochs=epochs,
                samples=self.progress.samples,
                examples=loader.examples,
                metrics=metrics or self._metrics(),
                ended=ended,
            )
            self._writing = strategy.after_writing(lambda: self._commit(staged, reached, is_epoch=bool(metrics)))

    def _written(self, trainer: pl.Trainer) -> None:
        """Wait until what was begun is on disk."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        trainer.strategy.barrier()

    def _metrics(self) -> dict[str, float]:
        before = self.reached()
        return before.metrics if before else {}

    def _commit(self, staged: Path, reached: TrainingProgress, *, is_epoch: bool) -> None:
        """Add the best weights and how far it came to what was saved, and rename it; from now on it counts."""
        before = self._metrics().get(self.monitor)
        score = reached.metrics.get(self.monitor)
        has_best = self.newest is not None and (self.newest / BEST).exists()
        if is_epoch and (not has_best or before is None or score is None or self.sign * (score - before) > 0):
            _link(staged / NEWEST, staged / BEST)
        elif has_best:
            assert self.newest is not None
            _link(self.newest / BEST, staged / BEST)
            if before is not None:
                reached = reached.model_copy(update={"metrics": {**reached.metrics, self.monitor: before}})
        commit(reached, staged / PROGRESS)
        self.newest = self.folder / f"step-{reached.steps:010}"
        publish(staged, self.newest, "checkpoint")
        for old in self._saved()[: -self.config.kept]:
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


def _link(folder: Path, other: Path) -> None:
    """Give every file of a folder a second name in another one."""
    shutil.copytree(folder, other, copy_function=os.link)
