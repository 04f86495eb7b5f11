"""How examples are read: window by window, in pieces, always in the same order; and which of them judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from data_contracts.days import start_of
from data_contracts.job import EvaluateJob


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


def on_its_days(batch: pa.RecordBatch, time: str, job: EvaluateJob) -> pa.RecordBatch:
    """Return the rows of the judged window's own days, by a column of times: those before them came late."""
    if job.first_day is None:
        return batch
    start = pa.scalar(start_of(job.first_day, job.day_zone), batch.schema.field(time).type)
    return batch.filter(pc.greater_equal(batch[time], start))
