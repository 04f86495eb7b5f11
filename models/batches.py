"""How examples become batches, whatever is learned: ordered, dealt to processes, gone on with.

The order follows from seed and epoch, and does not depend on how many processes share the batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.layered import IDLE, Batch

Numbers = NDArray[np.int64]


class Share(NamedTuple):
    """What is to be known of one process's share of a global batch, beside its rows.

    Attributes:
        examples: Rows in the global batch, over all processes together.
        targets: In the whole global batch.
        step: Of the training, from 0.
        height: Rows of the share, at least: filled up with padding.
        fixed: Whether all shares must be of one shape.
    """

    examples: int
    targets: int
    step: int
    height: int
    fixed: bool


class Examples(Protocol):
    """All examples of a pass; any of them can be had by number."""

    def __len__(self) -> int: ...

    def targets(self) -> Numbers:
        """Count what is to be predicted in each, (examples,)."""
        ...

    def lengths(self) -> Numbers:
        """Say how much work each is beside the others, (examples,)."""
        ...

    def batch(self, rows: Numbers, share: Share) -> Batch:
        """Make the tensors of these, in this order; none of them may be there at all."""
        ...


STRETCH = 16
"""Batches among which examples find others of their length: more save hardly anything, and batches differ less."""


@dataclass
class Batches:
    """One process's shares of the global batches of one pass over ``of``; a training goes on where it was.

    Attributes:
        of: The examples.
        order: Their numbers, in the order they are taken.
        batch_size: Rows in a global batch.
        rank: Of this process among those that share each batch.
        world_size: Processes that share each batch.
        first_step: Number of the first batch.
        height: See `Share`.
        fixed: See `Share`.
        taken: Batches handed out.
    """

    of: Examples
    order: Numbers
    batch_size: int
    rank: int
    world_size: int
    first_step: int = 0
    height: int = 1
    fixed: bool = False
    taken: int = 0

    @property
    def examples(self) -> int:
        """Return how many there are."""
        return len(self.order)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        while self.taken < len(self):
            number, self.taken = self.taken, self.taken + 1
            yield self.at(number)

    def at(self, number: int) -> Batch:
        """Make this process's share of a batch of the pass, by its place in it."""
        rows, step = self._rows(number), self.first_step + number
        own = rows[dealt(self._lengths[rows], self.world_size) == self.rank]
        share = Share(len(rows), int(self._targets[rows].sum()), step, self.height, self.fixed)
        return replace(self.of.batch(own, share), step=step)

    def idle(self) -> Batch:
        """Make a batch of no examples, from which nothing is learned."""
        return replace(self.of.batch(self.order[:0], Share(0, 0, 0, self.height, self.fixed)), step=IDLE)

    def size(self, number: int) -> int:
        """Return how many examples a batch of the pass has, over all processes."""
        return len(self._rows(number))

    def _rows(self, number: int) -> Numbers:
        return self.order[number * self.batch_size : (number + 1) * self.batch_size]

    @cached_property
    def _targets(self) -> Numbers:
        return self.of.targets()

    @cached_property
    def _lengths(self) -> Numbers:
        return self.of.lengths()

    def state_dict(self) -> dict[str, int]:
        """Return how far it was handed out."""
        return {"taken": self.taken}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self.taken = state_dict["taken"]


def shuffled(lengths: Numbers, batch_size: int, random: np.random.Generator) -> Numbers:
    """Return the numbers of all examples in an order whose batches hold examples of about one length.

    Examples are shuffled, sorted within stretches of `STRETCH` batches, and the batches shuffled: little of a batch is
    padding, and its examples are any of one length. A last batch that is not full stays the last.
    """
    order = random.permutation(len(lengths))
    stretch = np.arange(len(order)) // (STRETCH * batch_size)
    order = order[np.lexsort((lengths[order], stretch))]
    full = len(order) // batch_size * batch_size
    batches = order[:full].reshape(-1, batch_size)
    return np.concatenate([batches[random.permutation(len(batches))].ravel(), order[full:]])


def dealt(lengths: Numbers, world_size: int) -> Numbers:
    """Say which process takes which row, so that all have as many, and as much to do: to and fro, the longest first."""
    place = np.arange(len(lengths))
    there, back = place % world_size, world_size - 1 - place % world_size
    process = np.empty_like(place)
    process[np.argsort(-lengths, kind="stable")] = np.where(place // world_size % 2, back, there)
    return process
