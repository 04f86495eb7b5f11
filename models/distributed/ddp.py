"""Every process holds the whole network and takes a share of each batch: gloo on CPUs, NCCL on GPUs.

torch checks the annotations of a communication hook as objects, so they are not postponed here.
"""

import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel


class Ddp(DDPStrategy):
    """Lightning's DDP, adding gradients instead of averaging them.

    Each process's loss is its part of a mean over the global batch, so the parts add up; an average of
    per-process means would weigh targets unequally, as processes hold different numbers of them.
    """

    def configure_ddp(self) -> None:
        """Wrap the module, then have its gradients added."""
        super().configure_ddp()
        assert isinstance(self.model, DistributedDataParallel)
        self.model.register_comm_hook(None, add_gradients)


def add_gradients(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """Add one bucket of gradients over all processes."""
    pieces = distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
    added: torch.futures.Future[Tensor] = pieces.then(lambda future: future.value()[0])
    return added
