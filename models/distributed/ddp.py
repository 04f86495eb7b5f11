"""Every process holds the whole network and takes a share of each batch: gloo on CPUs, NCCL on GPUs.

torch checks the annotations of a communication hook as objects, so they are not postponed here.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, distributed
from typing_extensions import override

from models.distributed.gang import GangStrategy
from models.layered import LayeredModule


class Ddp(GangStrategy):
    """PyTorch's DistributedDataParallel: gradients travel while the rest of them is computed."""

    @override
    def spread(self, module: LayeredModule) -> None:
        """Wrap the module."""
        wrapped = self._setup_model(module)
        wrapped.register_comm_hook(None, add_gradients)
        self.model = self._wrapped = wrapped

    @override
    def alone(self) -> AbstractContextManager[None]:
        """Leave gradients as they are: what was added over processes must not be added again."""
        whole: AbstractContextManager[None] = self._wrapped.no_sync()
        return whole


def add_gradients(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """Add one bucket of gradients over all processes."""
    pieces = distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
    added: torch.futures.Future[Tensor] = pieces.then(lambda future: future.value()[0])
    return added
