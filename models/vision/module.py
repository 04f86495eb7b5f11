"""The LightningModule of vision: loss, validation metric, optimiser. Shape letters: B rows, C classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import cross_entropy

from data_contracts.job import FitJob
from models import layered
from models.layered import LayeredModule
from models.networks.optimizer import adamw
from models.networks.residual import ResidualNetwork
from models.vision.config import VisionConfig
from models.vision.reading import labels
from models.vision.weights import Weights, copy_into, new_network

NO_ZERO_BUBBLE = (
    "train.parallelism.schedule is 'zero_bubble', by which vision cannot be trained: torch 2.13 crashes in the second "
    "half of its way back. Take 'interleaved', which also puts two stages on each process, or '1f1b'."
)
NO_CLASS = -1
"""Of rows that are only padding."""


@dataclass
class Targets:
    """What is to be predicted.

    Attributes:
        class_B: int64; `NO_CLASS` where nothing is.
        total: Images in the global batch, whose share of this process is ``class_B``.
    """

    class_B: Tensor
    total: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts`` of equally many rows."""
        return [Targets(class_B, self.total) for class_B in self.class_B.tensor_split(parts)]


Batch = layered.Batch[Targets]
"""Pixels, uint8 (B, H, W, channels)."""


class VisionModule(LayeredModule):
    """Trains `ResidualNetwork`.

    Args:
        weights: The network to train, and what it is trained under.
    """

    network: ResidualNetwork
    settings: ClassVar[type[VisionConfig]] = VisionConfig

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights.network.train(), "validation/log_loss", sign=-1)
        self.weights = weights

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from.

        Raises:
            WeightsError: The weights to start from do not fit.
            ValueError: It is split in a way that its network does not survive.
        """
        if job.parallelism.strategy == "pipeline" and job.parallelism.schedule == "zero_bubble":
            raise ValueError(NO_ZERO_BUBBLE)
        config, known = cls.settings.model_validate(job.config), labels(job.tables, job.known_windows)
        torch.manual_seed(config.fit.seed)
        network = new_network(config.network, job.features["channels"], known)  # type: ignore[arg-type]
        if job.warm_start is not None:
            copy_into(network, Path(job.warm_start), known)
        return cls(Weights(network, config, job.features, known, job.use_case))

    def loss(self, logit_BC: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the mean cross-entropy."""
        return cross_entropy(logit_BC, targets.class_B, ignore_index=NO_CLASS, reduction="sum") / targets.total

    def quality(self, logit_BC: Tensor, batch: Batch) -> Tensor:
        """Return the cross-entropy of each row: of few images it says more than how many of them were right."""
        loss_B = cross_entropy(logit_BC, batch.targets.class_B, ignore_index=NO_CLASS, reduction="none")
        return loss_B[batch.targets.class_B != NO_CLASS]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW; its rate rises over the first steps, and falls like a cosine to the end of the last epoch."""
        examples = len(self.trainer.datamodule.training)  # type: ignore[attr-defined]  # set by Trainer.fit
        return adamw(list(self.network.parameters()), self.weights.config, examples)
