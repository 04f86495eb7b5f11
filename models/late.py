"""Rows of a window that are of days before it: they came late, and do not judge."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.days import start_of
from data_contracts.job import EvaluateJob


def on_its_days(batch: pa.RecordBatch, time_column: str, job: EvaluateJob) -> pa.RecordBatch:
    """Return the rows of the window's own days; all where windows have no days."""
    if job.first_day is None:
        return batch
    start = pa.scalar(start_of(job.first_day, job.day_zone), batch.schema.field(time_column).type)
    return batch.filter(pc.greater_equal(batch[time_column], start))
