"""A piece of the layers that one shard holds: AdamW for a vector of numbers, and their average."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.distributed.parameter_server.declared import Layers
from models.power_average import share
from models.rows.shard import Shard

WEIGHT, AVERAGE = "weight", "average"


class LayerStore:
    """One shard's piece of a vector of parameters; not safe for threads.

    Args:
        told: The vector; its numbers are zero until they are put there.
        shard: Whose piece.
    """

    called = "vector of layers"

    def __init__(self, told: Layers, shard: Shard) -> None:
        self.told, self.own = told, shard.own(told.count)
        self._weight_P = nn.Parameter(torch.zeros(len(self.own), dtype=getattr(torch, told.numbers)))
        self._optimizer = torch.optim.AdamW([self._weight_P], weight_decay=told.decay, fused=True)
        self._average_P = self._weight_P.detach().clone()

    def read(self, *, averages: bool = False) -> Tensor:
        """Return a copy of the numbers, or of their averages, (P,)."""
        return (self._average_P if averages else self._weight_P.detach()).clone()

    def learn(self, gradient_P: Tensor, *, rate: float, step: int) -> None:
        """Take a step.

        Args:
            gradient_P: Of the loss.
            rate: Learning rate.
            step: How many were taken, this one among them; an average goes by it.
        """
        self._optimizer.param_groups[0]["lr"] = rate
        self._weight_P.grad = gradient_P
        self._optimizer.step()
        self._weight_P.grad = None
        self._average_P.lerp_(self._weight_P.detach(), share(step))

    def state(self) -> dict[str, Tensor]:
        """Return all that it is, not copied: ``weight``, ``average``, and what AdamW remembers, if it took a step."""
        return {WEIGHT: self._weight_P.detach(), AVERAGE: self._average_P, **self._optimizer.state[self._weight_P]}

    def be(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Be as `state` says of this piece, after so many steps."""
        beside = {"step": torch.tensor(float(steps))} if steps else {}
        self.put({**tensors, **beside}, self.own.start)

    def put(self, state: Mapping[str, Tensor], first: int) -> None:
        """Take over what lies in this piece of another one, whose first number is the ``first`` of the vector."""
        start, stop = max(first, self.own.start), min(first + len(state[WEIGHT]), self.own.stop)
        if start >= stop:
            return
        theirs, ours = slice(start - first, stop - first), slice(start - self.own.start, stop - self.own.start)
        own = self.state()
        for name, value in state.items():
            if value.ndim == 0:
                self._optimizer.state[self._weight_P][name] = value.clone()
                continue
            if name not in own:
                own[name] = self._optimizer.state[self._weight_P][name] = torch.zeros_like(self._average_P)
            own[name][ours] = value[theirs]
