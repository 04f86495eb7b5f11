"""AdamW, and a learning rate that rises and falls: how networks of several use cases learn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from models.fit_config import FitConfig
from models.networks.config import AdamWConfig

if TYPE_CHECKING:
    from pytorch_lightning.utilities.types import OptimizerLRScheduler


class Learning(Protocol):
    """Settings of a model that learns so."""

    @property
    def optimizer(self) -> AdamWConfig:
        """How far it steps."""
        ...

    @property
    def fit(self) -> FitConfig:
        """How often."""
        ...


def adamw(parameters: list[nn.Parameter], config: Learning, examples: int) -> OptimizerLRScheduler:
    """Return AdamW; its rate rises over the first steps, and falls like a cosine to the end of the last epoch.

    Args:
        parameters: That learn.
        config: How.
        examples: Of an epoch.
    """
    own, fit = config.optimizer, config.fit
    optimizer = torch.optim.AdamW(parameters, lr=own.learning_rate, weight_decay=own.weight_decay, fused=True)
    steps = fit.max_epochs * math.ceil(examples / fit.batch_size)
    schedule = LambdaLR(optimizer, lambda step: rate(step, rise=fit.warm_up_steps, steps=steps))
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning_rate"},
    }


def rate(step: int, *, rise: int, steps: int) -> float:
    """Return the learning rate of a step, from 0, as a share of the highest.

    Args:
        step: The one to be taken.
        rise: Steps in which it rises.
        steps: All that there will be.

    Source:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without restarts.
    """
    falling = (1 + math.cos(math.pi * min(step / steps, 1))) / 2
    return min((step + 1) / max(rise, 1), falling)
