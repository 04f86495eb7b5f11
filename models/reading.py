"""How examples are read: window by window, in pieces, always in the same order; and which of them judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from data_contracts.days import start_of
from data_contracts.job import EvaluateJob

BREADTH = 4
"""Examples of older windows are drawn from row groups that hold so many times as many."""


def fragments(dataset: ds.Dataset, window: str) -> list[ds.ParquetFileFragment]:
    """Return the files of a window."""
    return sorted(dataset.get_fragments(pc.field("window") == window), key=lambda fragment: fragment.path)


def pieces(dataset: ds.Dataset, windows: Sequence[str], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield what some windows hold, at most so many rows at a time."""
    for window in windows:
        for fragment in fragments(dataset, window):
            yield from fragment.to_batches(
                schema=dataset.schema, columns=list(columns), batch_size=rows, batch_readahead=1
            )


def drawn(
    dataset: ds.Dataset, windows: Sequence[str], rows: int, *, seed: int, night: str, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Draw examples of ``windows`` without replacement, of each as its share of them all; a row group at a time.

    Args:
        dataset: Examples by window.
        windows: Keys of the windows drawn from.
        rows: How many; fewer come when there are fewer.
        seed: With ``night`` it decides which.
        night: Key of the newest window that is known.
        columns: Read of them.
    """
    random = np.random.default_rng([seed, *night.encode()])
    files = {window: fragments(dataset, window) for window in sorted(windows)}
    ends = np.cumsum([0, *(sum(each.count_rows() for each in own) for own in files.values())])
    quotas = np.diff(ends * min(rows, ends[-1]) // max(ends[-1], 1))
    for own, quota in zip(files.values(), quotas.tolist(), strict=True):
        for group, places in _places(own, quota, random):
            yield group.to_table(schema=dataset.schema, columns=list(columns)).take(pa.array(places))


def _places(
    fragments: Sequence[ds.ParquetFileFragment], quota: int, random: np.random.Generator
) -> Iterator[tuple[ds.ParquetFileFragment, NDArray[np.int64]]]:
    """Draw from one window: yield row groups, and which of their rows."""
    groups = [group for fragment in fragments for group in fragment.split_by_row_group()] if quota else []
    sizes = np.array([group.row_groups[0].num_rows for group in groups], np.int64)
    order = random.permutation(len(groups))
    chosen = order[: np.searchsorted(np.cumsum(sizes[order]), BREADTH * quota) + 1]
    ends = np.cumsum(sizes[chosen])
    places = np.sort(random.choice(ends[-1], size=quota, replace=False)) if quota else np.empty(0, np.int64)
    for number, end in zip(chosen, ends, strict=True):
        own = places[(places >= end - sizes[number]) & (places < end)] - (end - sizes[number])
        if len(own):
            yield groups[number], own


def on_its_days(batch: pa.RecordBatch, time: str, job: EvaluateJob) -> pa.RecordBatch:
    """Return the rows of the judged window's own days, by a column of times: those before them came late."""
    if job.first_day is None:
        return batch
    start = pa.scalar(start_of(job.first_day, job.day_zone), batch.schema.field(time).type)
    return batch.filter(pc.greater_equal(batch[time], start))
