"""What training and judging read of the tables: in pieces, always in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from data_contracts.job import TablesAt
from data_contracts.speech.examples import EXAMPLES
from data_contracts.speech.log_mel import Frames
from data_contracts.table import Table
from models.reading import pieces

RECORDINGS_AT_ONCE = 128
"""Each may be a minute long."""
MOST_WORDS = 200_000
"""That answers know of: those said most often."""


def words(tables: TablesAt, windows: Sequence[str]) -> tuple[str, ...]:
    """Return the words that were said in some windows, `MOST_WORDS` at most, in the order of their characters."""
    counts: dict[str, int] = {}
    for batch in batches(tables, windows, ["text"]):
        for text in batch["text"].to_pylist():
            for word in text.split():
                counts[word] = counts.get(word, 0) + 1
    return tuple(sorted(sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]))


def dataset_of(tables: TablesAt) -> ds.Dataset:
    """Return the examples."""
    return Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])


def batches(tables: TablesAt, windows: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the examples of some windows, window by window, `RECORDINGS_AT_ONCE` at a time at most."""
    return pieces(dataset_of(tables), windows, columns, RECORDINGS_AT_ONCE)


def frames(batch: pa.RecordBatch | pa.Table, mels: int) -> list[Frames]:
    """Return column ``log_mel``: of each recording its frames, (frames, mels); they may not be written to."""
    return [np.frombuffer(each, np.float16).reshape(-1, mels) for each in batch["log_mel"].to_pylist()]


def digests(batch: pa.RecordBatch | pa.Table) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return column ``digest`` as bands of one number, (rows, 1), see `models.twins`."""
    found = batch["digest"].to_numpy(zero_copy_only=False) if batch.num_rows else np.empty(0, np.int64)
    return found.astype(np.int64)[:, None]
