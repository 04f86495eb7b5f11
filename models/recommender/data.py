"""What the recommender learns from: examples of the recorded tables, as sequences.

In what order things came that were met at one moment the tables do not tell: they have one order, and a training draws
another in each pass (ADR 52). What validates, is judged or served stands as in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import FitJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.batches import Share
from models.data import Data
from models.recommender.config import RecommenderConfig
from models.recommender.counts import frequent_users, item_counts
from models.recommender.module import Batch, Targets
from models.recommender.moments import Draw
from models.recommender.replay import COLUMNS, draw
from models.recommender.sequences import Sequences
from models.recommender.split import validates
from models.recommender.weights import max_length

CONTEXT = 64
"""Items before a row's first target that a training computes: but the last, their states predict nothing (ADR 49)."""
_KINDS = ("training", "validation")


@dataclass(frozen=True)
class SequenceExamples:
    """Sequences, as examples.

    Attributes:
        sequences: The examples.
        windows: Names of the windows that they are from.
        length: Positions of every share whose shape is fixed.
        seed: Of the order, drawn anew in each pass, of what was met at one moment; None where it stays as it is.
    """

    sequences: Sequences
    windows: tuple[str, ...]
    length: int
    seed: int | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def targets(self) -> NDArray[np.int64]:
        """Count the targets of each."""
        return self.sequences.targets()

    def lengths(self) -> NDArray[np.int64]:
        """Count the items of each."""
        return self.sequences.lengths()

    def batch(self, rows: NDArray[np.int64], share: Share) -> Batch:
        """Pad rows to the longest of them, or to the longest that there may be."""
        met_BL2, target_BL = self.sequences.padded(
            rows,
            count=share.height,
            length=self.length if share.fixed else 0,
            draw=None if self.seed is None else Draw(self.seed, share.step),
        )
        origin = ", ".join(self.windows[number] for number in np.unique(self.sequences.window[rows]))
        targets = Targets(target_BL, share.targets, share.step)
        return Batch(met_BL2, targets, examples=share.examples, rows=rows, origin=origin)


class RecommenderData(Data[SequenceExamples]):
    """Reads a job's windows, replays older ones, and keeps the validating users apart.

    Args:
        job: Names the tables, their versions and windows.
    """

    def __init__(self, job: FitJob) -> None:
        self.config = RecommenderConfig.model_validate(job.config)
        super().__init__(job, self.config.fit)
        self.windows = tuple(sorted({*job.windows, *job.replayed, job.validation.window}))

    def read(self, folder: Path) -> None:
        """Write the sequences of both kinds.

        Raises:
            ValueError: There is nothing to train on.
        """
        for name, sequences in zip(_KINDS, self.sequences(), strict=True):
            sequences.write(folder / name)

    def open(self, folder: Path) -> tuple[SequenceExamples, SequenceExamples]:
        """Map them into memory."""
        length = max_length(self.job.features)
        training, validation = (
            SequenceExamples(Sequences.open(folder / name), self.windows, length, seed)
            for name, seed in zip(_KINDS, (self.config.fit.seed, None), strict=True)
        )
        return training, validation

    def sequences(self) -> tuple[Sequences, Sequences]:
        """Read what is learned from, and what validates.

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
        validation = Sequences.of(recent.filter(validating), counts, self.config, self.windows)
        # What HSTU adds up over a history is not shortened: sums over fewer items are smaller.
        return training if self.config.network.knows_times else training.shortened(CONTEXT), validation

    def _of_frequent_users(self, examples: pa.Table) -> pa.Table:
        if self.config.min_user_count == 1:
            return examples
        users = frequent_users(self.job.tables, self.job.known_windows, self.config.min_user_count)
        return examples.filter(pc.is_in(examples["user_id"], users.to_arrow()))


def _mask(examples: pa.Table, condition: pl.Expr) -> pa.Array:
    return pl.DataFrame(examples.select(["user_id", "window"])).select(condition)[:, 0].to_arrow()
