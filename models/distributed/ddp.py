"""Every process holds the whole network and takes a share of each batch: gloo on CPUs, NCCL on GPUs.

Gradients are added in every step, as float32 or bfloat16, or (local SGD) each process steps by itself and weights are
averaged now and then, with the optimiser's sums beside them: then less travels, and what is learned is not the same.

Sources: Li et al., "PyTorch Distributed", VLDB 2020; Stich, "Local SGD converges fast and communicates little", 2019;
Yu, Jin and Yang, "On the linear speedup of communication efficient momentum SGD", 2019, which averages momentum too.

torch checks the annotations of a communication hook as objects, so they are not postponed here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from typing_extensions import override

from models.distributed.strategy import GangStrategy
from models.layered import LayeredModule
from models.rows.optimizer import catch_up_averages
from models.rows.table import Rows


class Ddp(GangStrategy):
    """PyTorch's DistributedDataParallel: gradients travel while the rest of them is computed."""

    _apart = 0
    """Steps since weights were averaged."""

    @override
    def spread(self, module: LayeredModule) -> None:
        """Wrap the module, unless each process steps by itself, or is alone, or a server adds the gradients."""
        if self.config.average_every == 1 and self.world_size > 1 and not self.config.serves_layers:
            parts = [
                f"{name}.weight" for name, each in module.named_modules() if isinstance(each, Rows) and not each.whole
            ]
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, parts)  # type: ignore[no-untyped-call]
            wrapped = self._setup_model(module)
            wrapped.register_comm_hook(None, _HOOKS[self.config.gradients])
            self.model = wrapped

    @property
    @override
    def together(self) -> bool:
        """Whether weights were averaged after the last step."""
        return super().together and self._apart == 0

    @override
    def alone(self) -> AbstractContextManager[None]:
        """Leave gradients as they are: what was added over processes must not be added again."""
        if not isinstance(self.model, DistributedDataParallel):
            return super().alone()
        whole: AbstractContextManager[None] = self.model.no_sync()
        return whole

    @override
    def collect(self) -> None:
        """Give tables their gradient; a process that steps by itself takes that of its part for that of the whole."""
        if self.config.average_every == 1:
            return super().collect()
        assert isinstance(self.lightning_module, LayeredModule)
        for parameter in self.lightning_module.parameters():
            if parameter.grad is not None:
                parameter.grad *= self.world_size
        return self.lightning_module.release(together=False)

    @override
    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
        """Take a step, and average if it is time, or the epoch's end: all judge and save the same weights."""
        done = super().optimizer_step(optimizer, closure, *args, **kwargs)
        if self.config.average_every > 1:
            assert self.lightning_module is not None
            batches = self.lightning_module.trainer.fit_loop.epoch_loop.batch_progress
            step = self.lightning_module.trainer.global_step + 1
            self._apart = 0 if batches.is_last_batch else step % self.config.average_every
            if self.together:
                self._average()
        return done

    def _average(self) -> None:
        assert self.lightning_module is not None
        (optimizer,) = self.optimizers
        catch_up_averages(optimizer)
        held = [parameter.data for parameter in self.lightning_module.parameters()]
        held += [value for state in optimizer.state.values() for value in state.values() if value.ndim]
        whole = torch.cat([tensor.flatten() for tensor in held])
        distributed.all_reduce(whole)
        whole /= self.world_size
        pieces = torch.split(whole, [each.numel() for each in held])
        for tensor, piece in zip(held, pieces, strict=True):
            tensor.copy_(piece.view_as(tensor))


def add_gradients(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """Add one bucket of gradients over all processes."""
    pieces = distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
    added: torch.futures.Future[Tensor] = pieces.then(lambda future: future.value()[0])
    return added


def add_rounded(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """Add one bucket as bfloat16."""
    whole: Tensor = bucket.buffer()
    pieces = distributed.all_reduce(whole.bfloat16(), async_op=True).get_future()
    added: torch.futures.Future[Tensor] = pieces.then(lambda future: whole.copy_(future.value()[0]))
    return added


_HOOKS = {"float32": add_gradients, "bfloat16": add_rounded}
