"""What keeps both sides of a split apart: no recording validates of which a copy is learned from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from data_contracts.job import FitJob, Validation
from models.speech.reading import batches, digests
from models.twins import Twins

VALIDATING_SHARE = 20
"""One recording in so many validates."""


class Validating:
    """The recordings that validate, by their digests."""

    def __init__(self, job: FitJob) -> None:
        window = job.validation.window
        pieces = batches(job.tables, [window], ["digest"])
        kept = [digests(batch.filter(validates(batch, window, job.validation))) for batch in pieces]
        self._known = Twins(np.concatenate([np.empty((0, 1), np.int64), *kept]))
        self.copies = 0

    def without_copies(self, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
        """Leave out copies of one of them, and count these."""
        is_copy = self._known.met(digests(batch))
        self.copies += int(is_copy.sum())
        return batch.filter(pa.array(~is_copy))


def validates(batch: pa.RecordBatch, window: str, validation: Validation) -> pa.Array:
    """Say which recordings validate, by their digest: the same do in every night."""
    if window != validation.window:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    return pa.array((digests(batch)[:, 0] % VALIDATING_SHARE == 0) | validation.whole, pa.bool_())
