"""Lightning's trainer for a job: on what, split how, and what layers compute beside their own."""

from __future__ import annotations

import logging
import os

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import MLFlowLogger
from torch import nn
from torch.distributed._composable.checkpoint_activation import checkpoint

from data_contracts.job import FitJob
from data_contracts.parallelism import ParallelismConfig, Strategy
from models.distributed.ddp import Ddp
from models.distributed.fsdp import Fsdp
from models.distributed.pipeline import Pipeline
from models.distributed.strategy import GangStrategy
from models.fit_config import FitConfig
from models.layered import LayeredModule

_STRATEGIES: dict[Strategy, type[GangStrategy]] = {"ddp": Ddp, "fsdp": Fsdp, "pipeline": Pipeline}

logger = logging.getLogger(__name__)


def rank() -> int:
    """Return torchelastic's number of this process; 0 where one process trains alone."""
    return int(os.environ.get("RANK", "0"))


def fit_layers(layers: list[nn.Module], parallelism: ParallelismConfig, config: FitConfig) -> None:
    """Have the layers between the first and the last compute as the config says.

    Raises:
        ValueError: It does not go with the way of splitting.
    """
    problems = config.problems(parallelism, len(layers))
    if problems:
        raise ValueError("\n".join(problems))
    for layer in layers[1:-1]:
        if config.activation_checkpointing:
            checkpoint(layer)
        if config.compile:
            layer.compile()


def make_trainer(
    job: FitJob, parallelism: ParallelismConfig, config: FitConfig, callbacks: list[pl.Callback]
) -> pl.Trainer:
    """Make the trainer of this process; the first one logs."""
    accelerator = "gpu" if torch.cuda.device_count() else "cpu"
    hosts = int(os.environ.get("GROUP_WORLD_SIZE", "1"))  # torchelastic's: how many came
    if rank() == 0:
        logger.info(
            "hosts: %s, processes on each: %s, all on %ss", hosts, parallelism.processes_per_node, accelerator.upper()
        )
    return pl.Trainer(
        accelerator=accelerator,
        devices=parallelism.processes_per_node or 1,
        num_nodes=hosts,
        strategy=_STRATEGIES[parallelism.strategy](parallelism, config),
        precision=config.precision,
        max_epochs=config.max_epochs,
        callbacks=callbacks,
        logger=rank() == 0 and MLFlowLogger(tracking_uri=job.tracking_uri, run_id=job.run_id),
        default_root_dir=job.run_folder,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def patience(module: LayeredModule, config: FitConfig) -> EarlyStopping:
    """Stop after so many epochs without a better validation metric."""
    mode = "max" if module.sign > 0 else "min"
    return EarlyStopping(module.monitor, mode=mode, patience=config.patience, check_on_train_epoch_end=False)
