"""What a shard has learned, and what it has done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from models.distributed.parameter_server.declared import Layers, Rows


class State(NamedTuple):
    """All that a shard has learned.

    Attributes:
        taken: Steps from 0 that were taken, all of them,
        beyond: and those after them.
        told: What it holds, by name.
        tensors: Of each, by name.
    """

    taken: int
    beyond: tuple[int, ...]
    told: dict[str, Rows | Layers]
    tensors: dict[str, dict[str, Tensor]]


@dataclass
class Counts:
    """What a shard has done.

    Attributes:
        pushes: Shares that were taken in.
        repeated: Shares that came again, and were not learned from again.
        rows: Rows that moved, each step's counted.
        dropped: Gradients of rows that are too rare to be held.
        forgotten: Rows that no step had learned from for long.
        waited: Seconds that look-ups waited, by share.
    """

    pushes: int = 0
    repeated: int = 0
    rows: int = 0
    dropped: int = 0
    forgotten: int = 0
    waited: Counter[int] = field(default_factory=Counter)
