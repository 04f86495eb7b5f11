"""The LightningModule of language: loss, validation metric, optimiser. Letters: B rows, L positions, V symbols."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import cross_entropy

from data_contracts.job import FitJob
from models import layered
from models.language.config import LanguageConfig
from models.language.network import LanguageNetwork
from models.language.reading import symbols
from models.language.weights import Weights, copy_into, new_network, record_of
from models.layered import LayeredModule
from models.networks.optimizer import adamw

NOTHING = -1
"""Where nothing is to be predicted."""


@dataclass
class Targets:
    """What is to be predicted.

    Attributes:
        symbol_BL: int64; `NOTHING` where nothing is.
        total: Symbols in the global batch, whose share of this process is ``symbol_BL``.
    """

    symbol_BL: Tensor
    total: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts`` of equally many rows."""
        return [Targets(symbol_BL, self.total) for symbol_BL in self.symbol_BL.tensor_split(parts)]


Batch = layered.Batch[Targets]
"""Symbols, int64 (B, L)."""


class LanguageModule(LayeredModule):
    """Trains `LanguageNetwork`.

    Args:
        weights: The network to train, and what it is trained under.
    """

    network: LanguageNetwork

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights.network.train(), "validation/nats_a_symbol", sign=-1)
        self.weights = weights

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from.

        Raises:
            WeightsError: The weights to start from do not fit.
        """
        config, known = LanguageConfig.model_validate(job.config), symbols(job.tables, job.known_windows)
        torch.manual_seed(config.fit.seed)
        record = record_of(config, job.features, known)
        network = new_network(record)
        if job.warm_start is not None:
            copy_into(network, Path(job.warm_start), record)
        return cls(Weights(network, config, job.features, known))

    def loss(self, logit_BLV: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the mean cross-entropy."""
        return _cross_entropy(logit_BLV, targets, "sum") / targets.total

    def quality(self, logit_BLV: Tensor, batch: Batch) -> Tensor:
        """Return the mean cross-entropy of each row."""
        loss_BL = _cross_entropy(logit_BLV, batch.targets, "none").view_as(batch.targets.symbol_BL)
        there_BL = batch.targets.symbol_BL != NOTHING
        counts_B = there_BL.any(dim=1)
        return loss_BL[counts_B].sum(dim=1) / there_BL[counts_B].sum(dim=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW; its rate rises over the first steps, and falls like a cosine to the end of the last epoch."""
        examples = len(self.trainer.datamodule.training)  # type: ignore[attr-defined]  # set by Trainer.fit
        return adamw(list(self.network.parameters()), self.weights.config, examples)


def _cross_entropy(logit_BLV: Tensor, targets: Targets, reduction: str) -> Tensor:
    wanted = targets.symbol_BL.flatten()
    return cross_entropy(logit_BLV.flatten(0, 1), wanted, ignore_index=NOTHING, reduction=reduction)
