"""The weights that validate, and are kept, are averages of those of the steps so far: they waver less.

An average lies with the optimiser's state of its parameter, so every way of splitting saves it without knowing of it.
How much a step adds to it follows from the step's number alone, so a training that goes on elsewhere ends the same.
What an optimiser keeps no state of (plain SGD, a frozen parameter) has no average: the weight itself is kept. Rows of
tables have their averages by `models.rows.rules`: those that rest cost nothing.
"""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.distributed.tensor import DTensor

from models.distributed.saved import AVERAGE
from models.distributed.strategy import GangStrategy
from models.layered import Batch
from models.power_average import share
from models.rows.optimizer import catch_up_averages, swap_averages


class Averages(pl.Callback):
    """Averages the weights after every step, and has the averages validated."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: STEP_OUTPUT,  # noqa: ARG002
        batch: Batch,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Add what the weights are after this step."""
        averages, weights = _averages(trainer)
        if averages:
            torch._foreach_lerp_(averages, weights, share(trainer.global_step))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Take the averages for the weights."""
        averages, weights = _averages(trainer)
        self._weights = [weight.clone() for weight in weights]
        _put(averages, weights)
        catch_up_averages(trainer.optimizers[0])
        swap_averages(trainer.optimizers[0])
        assert isinstance(trainer.strategy, GangStrategy)
        trainer.strategy.served.take_layers(None)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Go on with the weights."""
        _put(self._weights, _averages(trainer)[1])
        swap_averages(trainer.optimizers[0])


def _averages(trainer: pl.Trainer) -> tuple[list[Tensor], list[Tensor]]:
    """Return the averages of what an optimiser has stepped, and the weights; of each what this process holds."""
    assert isinstance(trainer.strategy, GangStrategy)
    trainer.strategy.reshard()
    (optimizer,) = trainer.optimizers
    dense = [each for group in optimizer.param_groups for each in group["params"] if each.requires_grad]
    stepped = [each for each in dense if optimizer.state.get(each)]
    for parameter in stepped:  # an optimiser begins where there is no state, so the first average comes after its step
        if AVERAGE not in optimizer.state[parameter]:
            optimizer.state[parameter][AVERAGE] = parameter.detach().clone()
    return [_held(optimizer.state[each][AVERAGE]) for each in stepped], [_held(each.detach()) for each in stepped]


def _held(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _put(new: list[Tensor], weights: list[Tensor]) -> None:
    if weights:
        torch._foreach_copy_(weights, new)
