"""The batches: examples of the recorded tables, in an order that does not depend on how many processes share them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytorch_lightning as lightning
from numpy.typing import NDArray

from data_contracts.job import FitJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.distributed.strategy import GangStrategy
from models.host import once_per_host
from models.recommender.config import RecommenderConfig
from models.recommender.counts import frequent_users, item_counts
from models.recommender.module import Batch, Targets
from models.recommender.replay import COLUMNS, draw
from models.recommender.sequences import Sequences
from models.recommender.split import validates
from models.recommender.weights import max_length

_KINDS = ("training", "validation")

logger = logging.getLogger(__name__)


@dataclass
class Batches:
    """One process's shares of the global batches of one pass over ``sequences``; a training goes on where it was.

    Attributes:
        sequences: The examples.
        windows: Names of the windows that they are from.
        order: Rows of ``sequences`` in the order they are taken.
        batch_size: Rows in a global batch.
        rank: Of this process among those that share each batch.
        world_size: Processes that share each batch.
        first_step: Number of the first batch.
        length: Positions of every share, at least; 0 takes the longest row's.
        count: Rows of every share, at least: filled up with padding.
        taken: Batches handed out.
    """

    sequences: Sequences
    windows: tuple[str, ...]
    order: NDArray[np.int64]
    batch_size: int
    rank: int
    world_size: int
    first_step: int = 0
    length: int = 0
    count: int = 1
    taken: int = 0

    @property
    def examples(self) -> int:
        """Return how many there are."""
        return len(self.order)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        targets, lengths = self.sequences.targets(), self.sequences.lengths()
        while self.taken < len(self):
            rows = self.order[self.taken * self.batch_size : (self.taken + 1) * self.batch_size]
            total, step = int(targets[rows].sum()), self.first_step + self.taken
            own = rows[dealt(lengths[rows], self.world_size) == self.rank]
            item_BL, target_BL = self.sequences.padded(own, count=self.count, length=self.length)
            origin = ", ".join(self.windows[number] for number in np.unique(self.sequences.window[own]))
            self.taken += 1
            yield Batch(item_BL, Targets(target_BL, total, step), examples=len(rows), rows=own, origin=origin)

    def state_dict(self) -> dict[str, int]:
        """Return how far it was handed out."""
        return {"taken": self.taken}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self.taken = state_dict["taken"]


def dealt(lengths: NDArray[np.int64], world_size: int) -> NDArray[np.int64]:
    """Say which process takes which row, so that all have as many, and as much to do: to and fro, the longest first."""
    place = np.arange(len(lengths))
    there, back = place % world_size, world_size - 1 - place % world_size
    process = np.empty_like(place)
    process[np.argsort(-lengths, kind="stable")] = np.where(place // world_size % 2, back, there)
    return process


class RecommenderData(lightning.LightningDataModule):
    """Reads a job's windows, replays older ones, and keeps the validating users apart.

    Args:
        job: Names the tables, their versions and windows.
    """

    def __init__(self, job: FitJob) -> None:
        super().__init__()
        self.job = job
        self.config = RecommenderConfig.model_validate(job.config)
        self._length = max_length(job.features)
        self.windows = tuple(sorted({*job.windows, *job.replayed, job.validation.window}))

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Read the examples, once on each host: its processes share what was read.

        Raises:
            ValueError: There is nothing to train on.
        """
        self.training, self.validation = once_per_host(self.job.run_id, self._read, _write, _open)
        logger.info(
            "%s examples to learn from, %s to validate on", f"{len(self.training):,}", f"{len(self.validation):,}"
        )
        if not len(self.validation):
            logger.info("so nothing can stop early: all max_epochs are trained, and the last one's weights are taken")

    def _read(self) -> tuple[Sequences, Sequences]:
        job = self.job
        counts = item_counts(job.tables, job.known_windows)
        dataset = Table(job.tables.folder, EXAMPLES).dataset(job.tables.versions[EXAMPLES.name])
        windows = sorted({*job.windows, job.validation.window})
        recent = self._of_frequent_users(dataset.to_table(columns=COLUMNS, filter=pc.field("window").isin(windows)))
        validating = _mask(recent, validates(job.validation))
        learned = recent.filter(pc.and_not(pc.is_in(recent["window"], pa.array(job.windows)), validating))
        wanted = round(job.replay * learned.num_rows)
        older = draw(dataset, job.replayed, wanted, seed=self.config.fit.seed, night=job.known_windows[-1])
        learned = pa.concat_tables([learned, self._of_frequent_users(older)])
        training = Sequences.of(learned, counts, self.config, self.windows)
        if not len(training):
            raise ValueError(
                f"no example to learn from in windows {', '.join(job.windows)} of {job.tables.folder}: "
                f"{learned.num_rows:,} examples, none with a target that counts. "
                "Check model.target_events, model.min_item_count and model.min_user_count."
            )
        return training, Sequences.of(recent.filter(validating), counts, self.config, self.windows)

    def _of_frequent_users(self, examples: pa.Table) -> pa.Table:
        if self.config.min_user_count == 1:
            return examples
        users = frequent_users(self.job.tables, self.job.known_windows, self.config.min_user_count)
        return examples.filter(pc.is_in(examples["user_id"], users.to_arrow()))

    def train_dataloader(self) -> Batches:
        """Return one epoch; each has an order of its own."""
        epoch = self._trainer().current_epoch
        order = np.random.default_rng([self.config.fit.seed, epoch]).permutation(len(self.training))
        steps = math.ceil(len(order) / self.config.fit.batch_size)
        return self._batches(self.training, order, first_step=epoch * steps)

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validating examples in the order of the table; nothing when no user validates."""
        if not len(self.validation):
            return []
        return self._batches(self.validation, np.arange(len(self.validation)))

    def _batches(self, sequences: Sequences, order: NDArray[np.int64], first_step: int = 0) -> Batches:
        strategy = self._trainer().strategy
        assert isinstance(strategy, GangStrategy)
        share, fit = strategy.distributed_sampler_kwargs, self.config.fit
        return Batches(
            sequences,
            self.windows,
            order,
            fit.batch_size,
            rank=share["rank"],
            world_size=share["num_replicas"],
            first_step=first_step,
            length=self._length if strategy.equal_shares else 0,
            count=fit.batch_size // share["num_replicas"] if strategy.equal_shares else fit.accumulate,
        )

    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise RuntimeError("batches are shared between the processes of a trainer; none is attached.")
        return self.trainer


def _write(read: tuple[Sequences, Sequences], folder: Path) -> None:
    for name, sequences in zip(_KINDS, read, strict=True):
        sequences.write(folder / name)


def _open(folder: Path) -> tuple[Sequences, Sequences]:
    training, validation = (Sequences.open(folder / name) for name in _KINDS)
    return training, validation


def _mask(examples: pa.Table, condition: pl.Expr) -> pa.Array:
    return pl.DataFrame(examples.select(["user_id", "window"])).select(condition)[:, 0].to_arrow()
