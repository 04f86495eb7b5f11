"""What every way of splitting has in common: steps of processes that add gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import override

from data_contracts.parallelism import ParallelismConfig
from models.batches import Batches
from models.distributed.parameter_server.ahead import Ahead
from models.distributed.parameter_server.leased import Leased
from models.distributed.parameter_server.trainer import TrainersEnd
from models.distributed.saving import SavingStrategy
from models.fit_config import FitConfig
from models.layered import IDLE, Batch, LayeredModule, Loader
from models.rows.table import Rows


class GangStrategy(SavingStrategy):
    """Lightning's DDP without its wrapper; each way of splitting says in `spread` what it does with the module.

    Each process's loss is its part of a mean over the global batch, so the parts add up, and so do the gradients. An
    average of per-process means would weigh targets unequally, as processes hold different numbers of them.

    Args:
        parallelism: How many processes do what.
        fit: In how many parts a process does its share of a batch.

    Attributes:
        equal_shares: Whether every process needs batches of one shape.
        speaks_for_its_share: Whether no other process takes the same rows of a batch and says so.
        outside: Modules that hold layers, and are not in the trained module's own tree.
        learned: This process's parameters of layers, or its slices of them; like those below, as `spread` left them.
        tables: Tables of rows, whole or in part.
    """

    equal_shares = False
    speaks_for_its_share = True
    outside: Sequence[nn.Module] = ()
    _step = IDLE

    def __init__(self, parallelism: ParallelismConfig, fit: FitConfig) -> None:
        super().__init__(forward_sync_buffers=False)  # they are the same everywhere, and stay so
        self.config = parallelism
        self.fit = fit

    @abstractmethod
    def spread(self, module: LayeredModule) -> None:
        """Leave this process its part of the module, and have gradients added; ``self.model`` may be a wrapper then."""

    def squared_norm(self, parameters: list[nn.Parameter]) -> Tensor:
        """Return the squared length of the whole gradient, over all processes."""
        return squared_norm(parameters)

    def clip_gradients(self, longest: float) -> float:
        """Scale the whole gradient down to ``longest``, and return how long it was; one without a length stays.

        Source:
            `torch.nn.utils.clip_grad_norm_`, which knows nothing of stages.
        """
        if self._step == IDLE:
            return 0.0
        parameters = [each for each in self.learned if each.grad is not None]
        tables = [each for each in self.tables if each.weight.grad is not None]
        squares = [self.squared_norm(parameters), *(each.squared_norm() for each in tables)]
        length = (torch.stack(squares).sum() + self.served.squared_norm()).sqrt()
        if length.isfinite():
            torch.nn.utils.clip_grads_with_norm_(parameters, longest, length, foreach=True)
            factor = (longest / (length + 1e-6)).clamp(max=1.0)
            for each in tables:
                each.scale_gradient(factor)
            self.served.scale(float(factor))
        return float(length)

    @override
    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Take a step, the share part by part; the gradients of all but the last wait for `backward`.

        Lightning clears gradients between a step and its backward pass.
        """
        self.begin_step(batch)
        if batch.step == IDLE:
            return torch.zeros((), device=self.root_device)
        self._module_of_layers().hold(batch)
        self.served.take_layers(batch.step)
        *parts, last = batch.split(self.fit.accumulate)
        losses = [torch.zeros((), device=self.root_device)]
        for part in parts:
            with self.alone():
                loss = self._forward(part, number)
                torch.autograd.backward(loss)
            losses.append(loss.detach())
        self.waiting = self.take_gradients()
        return self._forward(last, number) + torch.stack(losses).sum()

    def begin_step(self, batch: Batch) -> None:
        """Begin the step of a batch, and have no gradient of the one before."""
        self._step = batch.step
        self.take_gradients()
        if self.config.leases and batch.step != IDLE:
            self._take_rates(batch.step)

    def _take_rates(self, step: int) -> None:
        """Learn at the rates of a step, however many steps this process took itself."""
        for each in self._module_of_layers().trainer.lr_scheduler_configs:
            if isinstance(schedule := each.scheduler, LambdaLR):
                groups = zip(schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True)
                for group, rate, share in groups:
                    group["lr"] = rate * share(step)

    @override
    def validation_step(self, batch: Batch, number: int) -> None:
        """Judge this process's share."""
        self.hold_parts(batch)
        super().validation_step(batch, number)
        self._module_of_layers().let_go()

    def hold_parts(self, batch: Batch, *, first: bool = True, last: bool = True) -> None:
        """Hold what a batch reads of tables that no process has whole; see `LayeredModule.hold`."""
        if not all(rows.whole for rows in self.tables):
            self._module_of_layers().hold(batch, first=first, last=last, learns=False)

    def _forward(self, batch: Batch, number: int) -> Tensor:
        loss = super().training_step(batch, number)
        assert isinstance(loss, Tensor)
        return loss

    def hand_out(self, batches: Batches) -> Loader:
        """Return what hands out the batches of a pass: in turn, one ahead, or those that this process has leases of."""
        module = self._module_of_layers()
        if self.config.leases:
            return Leased(batches, self.served.lease)
        if self.served.looks_ahead:
            return Ahead(batches, lambda batch: self.served.look_ahead(module, batch))
        return batches

    @property
    def training_share(self) -> dict[str, int]:
        """Return what this process has of each batch that it learns from; of those that validate it has a share."""
        return {"rank": 0, "num_replicas": 1} if self.config.leases else self.distributed_sampler_kwargs

    @property
    def sharers(self) -> int:
        """Return how many processes learn from the same batch."""
        return 1 if self.config.leases else self.world_size

    @property
    def together(self) -> bool:
        """Whether all processes are at one step, and the training can be saved."""
        return not self.config.leases

    def alone(self) -> AbstractContextManager[None]:
        """Do not add gradients of what is done in here over the processes, if that is dear or wrong."""
        return nullcontext()

    def take_gradients(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Take away the gradients that there are."""
        found = [(each, each.grad) for each in self.learned if each.grad is not None]
        for parameter, _ in found:
            parameter.grad = None
        return found

    def give_gradients(self) -> None:
        """Put them back, beside what has come meanwhile."""
        for parameter, gradient in self.waiting:
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        self.waiting = []

    @override
    def backward(self, closure_loss: Tensor, optimizer: Optimizer | None, *args: Any, **kwargs: Any) -> Tensor:
        """Go back, from the gradients that are there already."""
        if self._step == IDLE:
            return closure_loss
        self.give_gradients()
        loss = super().backward(closure_loss, optimizer, *args, **kwargs)
        self.collect()
        return loss

    def collect(self) -> None:
        """End the step for tables of rows: they get their gradient, added over all processes."""
        self._module_of_layers().release(self.config.gradients)
        (optimizer,) = self.optimizers
        self.served.send(optimizer, self._step)

    @override
    def setup_optimizers(self, trainer: pl.Trainer) -> None:
        """Have what learns where layers do."""
        super().setup_optimizers(trainer)
        (optimizer,) = self.optimizers
        self.served.begin_layers(optimizer)

    @override
    def configure_ddp(self) -> None:
        """Spread the module instead of wrapping it."""
        assert isinstance(self.model, LayeredModule)
        self.call_by_first_names(self.model)
        tables = {self.aliases[f"{name}.weight"]: each for name, each in _tables(self.model)}
        numbers: Any = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        place = (self.global_rank, self.world_size, self.broadcast, self.barrier)
        self.served = TrainersEnd(tables, self.config, numbers, *place)
        self.served.begin()
        self.spread(self.model)
        module = self._module_of_layers()
        self.learned = [each for each in module.parameters() if each.requires_grad]
        self.tables = [each for _, each in _tables(module)]
        self.sliced = [each for each in (*module.modules(), *self.outside) if isinstance(each, FSDPModule)]


def squared_norm(parameters: list[nn.Parameter]) -> Tensor:
    """Return the squared length, float64, of the gradients of parameters that this process or its shards hold whole."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros((), dtype=torch.float64)
    length = torch.nn.utils.get_total_norm(gradients, foreach=True)
    whole: Tensor = length.full_tensor() if isinstance(length, DTensor) else length
    return whole.double().square()


def _tables(module: nn.Module) -> list[tuple[str, Rows]]:
    """Return tables of rows by name."""
    return [(name, each) for name, each in module.named_modules() if isinstance(each, Rows)]
