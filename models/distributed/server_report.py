"""What shards have done since a training began, or began anew: on its MLflow run, and as a line of its log."""

from __future__ import annotations

import logging

import pytorch_lightning as pl

from models.distributed.strategy import GangStrategy

logger = logging.getLogger(__name__)


class ServerReport(pl.Callback):
    """Keeps it after every epoch, where there are shards."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Ask shards, and log what they say."""
        assert isinstance(trainer.strategy, GangStrategy)
        if trainer.logger is None or not trainer.strategy.served.is_there:
            return
        done = trainer.strategy.served.server.done()
        metrics = {f"server/{name}": value for name, value in done.metrics().items()}
        trainer.logger.log_metrics(metrics, step=trainer.global_step)
        logger.info("parameter server: %s", done)
