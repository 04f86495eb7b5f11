"""What a model must beat: popularity, and first-order Markov counts with popularity as tie-break.

Both are counted on training events only: nothing of the judging window, and none of the validation targets.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import EvaluateJob, Validation
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.recommender.split import validates

PADDING = 0
ROWS_AT_ONCE = 32_768
"""Examples read at once; each holds at most L targets."""

Scores = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Popularity:
    """Ranks items by how often they were met, whatever came before.

    Args:
        counts: Training events of each item, int64 (N + 1,); row 0 is padding.
    """

    def __init__(self, counts: Numbers) -> None:
        self.counts = counts

    def scores(self, previous: Numbers) -> Scores:
        """Return float64 (T, N + 1), the same row for every one of the T items in ``previous``."""
        return np.tile(self.counts.astype(np.float64), (len(previous), 1))


class Markov:
    """Ranks items by how often they followed the last one; of equals, the more popular comes first.

    Args:
        transitions: ``previous``, ``item`` (int32, 1…N) and ``count`` of each consecutive pair, once.
        popularity: Decides between equals, and where the last item was never followed by anything.
    """

    def __init__(self, transitions: pl.DataFrame, popularity: Popularity) -> None:
        self.transitions = transitions
        self.tie_break = popularity.counts / (popularity.counts.max() + 1)

    def scores(self, previous: Numbers) -> Scores:
        """Return float64 (T, N + 1): whole part the transitions from ``previous`` (T,), fraction the popularity."""
        rows = pl.DataFrame({"row": np.arange(len(previous)), "previous": previous.astype(np.int32)})
        followed = rows.join(self.transitions, on="previous")
        scores = np.tile(self.tie_break, (len(previous), 1))
        scores[followed["row"].to_numpy(), followed["item"].to_numpy()] += followed["count"].to_numpy()
        return scores


def popularity(job: EvaluateJob, counts: Numbers) -> Popularity:
    """Return popularity in the known windows, the validation targets taken out.

    Args:
        job: Names the tables, their windows and who validates.
        counts: Events of each item in the known windows, (N + 1,).
    """
    held_back = np.zeros_like(counts)
    for examples in _examples(job, (job.validation.window,), ["user_id", "window", "target"]):
        targets = examples.filter(validates(job.validation))["target"].explode(empty_as_null=False)
        held_back += np.bincount(targets, minlength=len(counts))
    return Popularity(counts - held_back)


def transitions(job: EvaluateJob, target_events: tuple[str, ...]) -> pl.DataFrame:
    """Count every consecutive pair of a user's events whose second is a training target.

    Args:
        job: Names the tables, their windows and who validates.
        target_events: Kinds of event that are targets; empty takes all.

    Returns:
        ``previous``, ``item`` (int32) and ``count``, each pair once.
    """
    columns = ["user_id", "window", "context", "target", "target_event"]
    counted = pl.DataFrame(schema={"previous": pl.Int32, "item": pl.Int32, "count": pl.UInt32})
    for examples in _examples(job, job.known_windows, columns):
        pairs = _pairs(examples, job.validation, target_events).group_by("previous", "item").len("count")
        counted = pl.concat([counted, pairs]).group_by("previous", "item").agg(pl.col("count").sum())
    return counted.sort("previous", "item")


def _pairs(examples: pl.DataFrame, validation: Validation, target_events: tuple[str, ...]) -> pl.DataFrame:
    last = pl.concat_list(pl.lit(PADDING, pl.Int32), pl.col("context")).list.tail(1)
    previous = pl.concat_list(last, pl.col("target")).list.head(pl.col("target").list.len())
    pairs = (
        examples.filter(~validates(validation))
        .select(previous.alias("previous"), pl.col("target").alias("item"), "target_event")
        .explode("previous", "item", "target_event")
        .filter(pl.col("previous") != PADDING)
    )
    return pairs.filter(pl.col("target_event").is_in(target_events)) if target_events else pairs


def _examples(job: EvaluateJob, windows: tuple[str, ...], columns: list[str]) -> Iterator[pl.DataFrame]:
    """Yield the examples of some windows, `ROWS_AT_ONCE` at a time."""
    dataset = Table(job.tables.folder, EXAMPLES).dataset(job.tables.versions[EXAMPLES.name])
    chosen = pc.field("window").isin(windows)
    for batch in dataset.to_batches(columns=columns, filter=chosen, batch_size=ROWS_AT_ONCE):
        if batch.num_rows:
            yield pl.DataFrame(batch)
