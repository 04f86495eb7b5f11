"""What a shard has learned."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from models.distributed.parameter_server.declared import Layers, Rules, Table


class State(NamedTuple):
    """All that a shard has learned.

    Attributes:
        rules: By which.
        taken: Steps from 0 that were taken, all of them,
        beyond: and those after them.
        told: What it holds, by name.
        tensors: Of each, by name.
    """

    rules: Rules
    taken: int
    beyond: tuple[int, ...]
    told: dict[str, Table | Layers]
    tensors: dict[str, dict[str, Tensor]]

    @property
    def steps(self) -> int:
        """Return how many steps it has learned from."""
        return self.taken + len(self.beyond)
