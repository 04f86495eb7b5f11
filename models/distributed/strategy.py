"""What every way of splitting has in common: processes that meet, add gradients, and save one training together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from typing_extensions import override

from data_contracts.parallelism import ParallelismConfig
from models.distributed.saved import Splits, begin_save, load, splits_of
from models.fit_config import FitConfig
from models.layered import Batch, LayeredModule
from models.rows.table import Rows


class GangStrategy(DDPStrategy):
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
        sliced: Modules of which it holds a slice.
    """

    equal_shares = False
    speaks_for_its_share = True
    outside: Sequence[nn.Module] = ()
    restore_checkpoint_after_setup = True

    def __init__(self, parallelism: ParallelismConfig, fit: FitConfig) -> None:
        super().__init__(forward_sync_buffers=False)  # they are the same everywhere, and stay so
        self.config = parallelism
        self.fit = fit

    @override
    def setup_environment(self) -> None:
        """Meet the other processes, once more for writing checkpoints."""
        super().setup_environment()
        self._writers = distributed.new_group(backend="gloo")
        self._background = ThreadPoolExecutor(1, "checkpoint")

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
        parameters = [each for each in self.learned if each.grad is not None]
        tables = [each for each in self.tables if each.weight.grad is not None]
        length = torch.stack([self.squared_norm(parameters), *(each.squared_norm() for each in tables)]).sum().sqrt()
        if length.isfinite():
            torch.nn.utils.clip_grads_with_norm_(parameters, longest, length, foreach=True)
            for each in tables:
                each.scale_gradient((longest / (length + 1e-6)).clamp(max=1.0))
        return float(length)

    @override
    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Take a step, the share part by part; the gradients of all but the last wait for `backward`.

        Lightning clears gradients between a step and its backward pass.
        """
        self.take_gradients()  # of the step before
        self._module_of_layers().hold(batch)
        *parts, last = batch.split(self.fit.accumulate)
        losses = [torch.zeros((), device=self.root_device)]
        for part in parts:
            with self.alone():
                loss = self._forward(part, number)
                torch.autograd.backward(loss)
            losses.append(loss.detach())
        self.waiting = self.take_gradients()
        return self._forward(last, number) + torch.stack(losses).sum()

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

    @property
    def together(self) -> bool:
        """Whether all processes are at one training, which can be saved."""
        return True

    def alone(self) -> AbstractContextManager[None]:
        """Do not add gradients of what is done in here over the processes, if that is dear or wrong."""
        return nullcontext()

    def _module_of_layers(self) -> LayeredModule:
        assert isinstance(self.lightning_module, LayeredModule)
        return self.lightning_module

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
        self.give_gradients()
        loss = super().backward(closure_loss, optimizer, *args, **kwargs)
        self.collect()
        return loss

    def collect(self) -> None:
        """End the step for tables of rows: they get their gradient, added over all processes."""
        self._module_of_layers().release(self.config.gradients)

    @override
    def configure_ddp(self) -> None:
        """Spread the module instead of wrapping it."""
        assert isinstance(self.model, LayeredModule)
        # A table of two layers has two names: it is saved under the first, whichever of them a process has.
        first: dict[int, str] = {}
        named = self.model.named_parameters(remove_duplicate=False)
        self.aliases = {name: first.setdefault(id(parameter), name) for name, parameter in named}
        self.spread(self.model)
        module = self._module_of_layers()
        self.learned = [each for each in module.parameters() if each.requires_grad]
        self.tables = [each for each in module.modules() if isinstance(each, Rows)]
        self.sliced = [each for each in (*module.modules(), *self.outside) if isinstance(each, FSDPModule)]

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return what this process holds, by the names that the whole module has for it."""
        assert self.lightning_module is not None
        self.reshard()
        return {self.aliases[name]: parameter for name, parameter in self.lightning_module.named_parameters()}

    def splits(self) -> Splits:
        """Return the tables of which this process has some rows."""
        found = splits_of(self._module_of_layers(), self.root_device)
        return {self.aliases[name]: split for name, split in found.items()}

    def reshard(self) -> None:
        """Put away what was gathered for validation: it is not what is trained."""
        for each in self.sliced:
            each.reshard()

    @override
    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Return nothing: `save_checkpoint` asks for `parameters` itself."""
        return {}

    @override
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return nothing but the settings of each group: `save_checkpoint` asks for the rest itself."""
        groups = optimizer.state_dict()["param_groups"]
        return {"groups": [{name: value for name, value in group.items() if name != "params"} for group in groups]}

    @override
    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Do nothing: `load_checkpoint` did."""

    @override
    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the settings of each group; `load_checkpoint` did the rest."""
        (optimizer,), (saved,) = self.optimizers, checkpoint["optimizer_states"]
        for group, settings in zip(optimizer.param_groups, saved["groups"], strict=True):
            group.update(settings)

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any | None = None
    ) -> None:
        """Begin to write what all processes hold into one folder that any way of splitting can go on from."""
        (optimizer,) = self.optimizers
        beside = checkpoint if self.is_global_zero else None
        held = self.parameters()
        self.writing = begin_save(Path(filepath), held, optimizer, beside, self._writers, self.splits())

    def after_writing(self, work: Callable[[], None]) -> Future[None]:
        """Do some work in the background once all of a checkpoint is written."""
        return self._background.submit(_after, self.writing, work)

    @override
    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Take this process's part of what was saved, however it was split then."""
        (optimizer,) = self.optimizers
        return load(Path(checkpoint_path), self.parameters(), optimizer, self.splits())


def _after(writing: Future[None], work: Callable[[], None]) -> None:
    writing.result()
    work()


def squared_norm(parameters: list[nn.Parameter]) -> Tensor:
    """Return the squared length, float64, of the gradients of parameters that this process or its shards hold whole."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros((), dtype=torch.float64)
    length = torch.nn.utils.get_total_norm(gradients, foreach=True)
    whole: Tensor = length.full_tensor() if isinstance(length, DTensor) else length
    return whole.double().square()
