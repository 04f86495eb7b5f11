"""What shards have done since a training began, or began anew: on its MLflow run, and as a line of its log."""

from __future__ import annotations

import logging
import time

import pytorch_lightning as pl

from models.distributed.strategy import GangStrategy

logger = logging.getLogger(__name__)


class ServerReport(pl.Callback):
    """Keeps it after every epoch, where there are shards."""

    def __init__(self) -> None:
        self._pushes = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Remember when it began."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Ask shards, and log what they say."""
        assert isinstance(trainer.strategy, GangStrategy)
        trainer.strategy.served.end_pass()
        if trainer.logger is None or not trainer.strategy.served.is_there:
            return
        done = trainer.strategy.served.server.done()
        metrics = {f"server/{name}": value for name, value in done.metrics().items()}
        pushes, self._pushes = max(done.pushes - self._pushes, 0), done.pushes
        began, self._began = self._began, time.monotonic()
        metrics["server/pushes_per_second"] = pushes / (self._began - began)
        trainer.logger.log_metrics(metrics, step=trainer.global_step)
        logger.info("parameter server: %s", done)
