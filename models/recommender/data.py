"""The batches: examples of the recorded tables, in an order that does not depend on how many processes share them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytorch_lightning as lightning
from numpy.typing import NDArray

from data_contracts.job import FitJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig
from models.recommender.counts import frequent_users, item_counts
from models.recommender.module import Batch, Targets
from models.recommender.sequences import Sequences
from models.recommender.split import validates

COLUMNS = ["user_id", "context", "target", "target_event", "window"]
REPLAY_BREADTH = 4
"""Replayed examples are drawn from so many times as many, read as whole row groups."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batches:
    """One process's shares of the global batches of one pass over ``sequences``.

    Attributes:
        sequences: The examples.
        order: Rows of ``sequences`` in the order they are taken.
        batch_size: Rows in a global batch.
        rank: Of this process.
        world_size: Processes that share each batch.
        first_step: Number of the first batch.
    """

    sequences: Sequences
    order: NDArray[np.int64]
    batch_size: int
    rank: int
    world_size: int
    first_step: int = 0

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        targets = self.sequences.targets()
        for index in range(len(self)):
            rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
            item_BL, target_BL = self.sequences.padded(rows[self.rank :: self.world_size])
            total = int(targets[rows].sum())
            yield Batch(item_BL, Targets(target_BL, total, self.first_step + index), examples=len(rows))


class RecommenderData(lightning.LightningDataModule):
    """Reads a job's windows, replays older ones, and keeps the validating users apart.

    Args:
        job: Names the tables, their versions and windows.
    """

    def __init__(self, job: FitJob) -> None:
        super().__init__()
        self.job = job
        self.config = RecommenderConfig.model_validate(job.config)

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Read the examples into memory.

        Raises:
            ValueError: There is nothing to train on.
        """
        job = self.job
        counts = item_counts(job.tables, job.known_windows)
        dataset = Table(job.tables.folder, EXAMPLES).dataset(job.tables.versions[EXAMPLES.name])
        windows = sorted({*job.windows, job.validation.window})
        recent = self._of_frequent_users(dataset.to_table(columns=COLUMNS, filter=pc.field("window").isin(windows)))
        validating = _mask(recent, validates(job.validation))
        learned = recent.filter(pc.and_not(pc.is_in(recent["window"], pa.array(job.windows)), validating))
        older = draw(dataset, job.replayed, round(job.replay * learned.num_rows), seed=self.config.fit.seed)
        learned = pa.concat_tables([learned, self._of_frequent_users(older)])
        self.training = Sequences.of(learned, counts, self.config)
        self.validation = Sequences.of(recent.filter(validating), counts, self.config)
        if not len(self.training):
            raise ValueError(
                f"no example to learn from in windows {', '.join(job.windows)} of {job.tables.folder}: "
                f"{learned.num_rows:,} examples, none with a target that counts. "
                "Check model.target_events, model.min_item_count and model.min_user_count."
            )
        logger.info(
            "%s examples to learn from, %s to validate on", f"{len(self.training):,}", f"{len(self.validation):,}"
        )

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
        trainer = self._trainer()
        return Batches(
            sequences, order, self.config.fit.batch_size, trainer.global_rank, trainer.world_size, first_step
        )

    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise RuntimeError("batches are shared between the processes of a trainer; none is attached.")
        return self.trainer


def draw(dataset: ds.Dataset, windows: tuple[str, ...], rows: int, *, seed: int) -> pa.Table:
    """Draw examples of ``windows`` without replacement: what is read follows ``rows``, not all that there is.

    Args:
        dataset: Table `examples` at one version.
        windows: Keys of the windows drawn from.
        rows: How many; fewer come back when there are fewer.
        seed: The same seed and version draw the same rows.

    Returns:
        Rows of a few row groups, chosen at random, in random order.
    """
    random = np.random.default_rng(seed)
    chosen = pc.field("window").isin(pa.array(windows, pa.string()))
    fragments = sorted(dataset.get_fragments(chosen), key=lambda fragment: fragment.path)
    groups = [group for fragment in fragments for group in fragment.split_by_row_group()]
    read = [dataset.schema.empty_table().select(COLUMNS)]
    for index in random.permutation(len(groups)):
        if sum(piece.num_rows for piece in read) >= REPLAY_BREADTH * rows:
            break
        read.append(groups[index].to_table(schema=dataset.schema, columns=COLUMNS))
    pool = pa.concat_tables(read)
    return pool.take(random.permutation(pool.num_rows)[:rows])


def _mask(examples: pa.Table, condition: pl.Expr) -> pa.Array:
    return pl.DataFrame(examples.select(["user_id", "window"])).select(condition)[:, 0].to_arrow()
