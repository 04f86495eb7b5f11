"""The LightningModule: squared errors are learned from, absolute ones validate."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from data_contracts.job import FitJob
from models.layered import LayeredModule
from tests.parcels.models.config import ParcelConfig
from tests.parcels.models.data import Batch, Targets
from tests.parcels.models.network import Hours, load


class ParcelModule(LayeredModule):
    """Trains `Hours`."""

    network: Hours

    def __init__(self, network: Hours, config: ParcelConfig) -> None:
        super().__init__(network.train(), "validation/mae", sign=-1)
        self.config = config

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from."""
        config = ParcelConfig.model_validate(job.config)
        torch.manual_seed(config.fit.seed)
        return cls(Hours(config.network) if job.warm_start is None else load(Path(job.warm_start)), config)

    def loss(self, output: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the mean squared error."""
        there_B = ~targets.hours_B.isnan()
        return (output[there_B, 0] - targets.hours_B[there_B]).square().sum() / targets.total

    def quality(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the absolute error of each row."""
        error_B = (output[:, 0] - batch.targets.hours_B).abs()
        return error_B[~batch.targets.hours_B.isnan()]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.config.learning_rate)
