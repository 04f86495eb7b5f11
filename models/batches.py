"""How examples become batches, whatever is learned: read once on a host, ordered, dealt to processes, gone on with.

The order follows from seed and epoch, and does not depend on how many processes share the batches.
"""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import pytorch_lightning as lightning
from numpy.typing import NDArray

from data_contracts.job import FitJob
from models.distributed.strategy import GangStrategy
from models.fit_config import FitConfig
from models.host import once_per_host
from models.layered import Batch

Numbers = NDArray[np.int64]

logger = logging.getLogger(__name__)


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


Own = TypeVar("Own", bound=Examples)

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
        targets, lengths = self.of.targets(), self.of.lengths()
        while self.taken < len(self):
            rows = self.order[self.taken * self.batch_size : (self.taken + 1) * self.batch_size]
            own = rows[dealt(lengths[rows], self.world_size) == self.rank]
            step = self.first_step + self.taken
            self.taken += 1
            yield self.of.batch(own, Share(len(rows), int(targets[rows].sum()), step, self.height, self.fixed))

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


class Data(lightning.LightningDataModule, Generic[Own]):
    """Examples to learn from and examples to validate on.

    Args:
        job: Names the tables, their versions and windows.
        fit: In what steps.
    """

    def __init__(self, job: FitJob, fit: FitConfig) -> None:
        super().__init__()
        self.job = job
        self.fit = fit

    @abstractmethod
    def read(self, folder: Path) -> None:
        """Read the examples of the job, and write them into ``folder``; done once on each host.

        Raises:
            ValueError: There is nothing to train on.
        """

    @abstractmethod
    def open(self, folder: Path) -> tuple[Own, Own]:
        """Map what was written into memory, to learn from and to validate on; the files may be gone afterwards."""

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Have the examples at hand.

        Raises:
            ValueError: See `read`.
        """
        self.training, self.validation = once_per_host(self.job.run_id, self.read, self.open)
        logger.info(
            "%s examples to learn from, %s to validate on", f"{len(self.training):,}", f"{len(self.validation):,}"
        )
        if not len(self.validation):
            logger.info("so nothing can stop early: all max_epochs are trained, and the last one's weights are taken")

    def train_dataloader(self) -> Batches:
        """Return one epoch; each has an order of its own."""
        epoch = self._trainer().current_epoch
        random = np.random.default_rng([self.fit.seed, epoch])
        order = shuffled(self.training.lengths(), self.fit.batch_size, random)
        steps = math.ceil(len(order) / self.fit.batch_size)
        return self._batches(self.training, order, first_step=epoch * steps)

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validating examples, those of one length together; nothing where there are none."""
        if not len(self.validation):
            return []
        return self._batches(self.validation, np.argsort(self.validation.lengths(), kind="stable"))

    def _batches(self, of: Examples, order: Numbers, first_step: int = 0) -> Batches:
        strategy = self._trainer().strategy
        assert isinstance(strategy, GangStrategy)
        share, size = strategy.distributed_sampler_kwargs, self.fit.batch_size
        return Batches(
            of,
            order,
            size,
            rank=share["rank"],
            world_size=share["num_replicas"],
            first_step=first_step,
            height=size // share["num_replicas"] if strategy.equal_shares else self.fit.accumulate,
            fixed=strategy.equal_shares,
        )

    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise RuntimeError("batches are shared between the processes of a trainer; none is attached.")
        return self.trainer
