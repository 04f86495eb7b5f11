"""What training and judging read of the tables: in pieces, always in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.language.examples import BANDS, EXAMPLES
from data_contracts.language.symbols import SYMBOLS
from data_contracts.table import Table
from models.reading import pieces

DOCUMENTS_AT_ONCE = 128
"""Each may have a million symbols."""


def symbols(tables: TablesAt, windows: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the character of every number; if ``windows`` are given, of those alone that were first met there.

    Args:
        tables: Where, and which versions.
        windows: Up to one: the characters of later ones have higher numbers.
    """
    rows = pl.DataFrame(Table(tables.folder, SYMBOLS).read(tables.versions[SYMBOLS.name])).sort("symbol_number")
    known = rows if windows is None else rows.filter(pl.col("first_window").is_in(list(windows)))
    return tuple(known["symbol"])


def batches(tables: TablesAt, windows: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the examples of some windows, window by window, `DOCUMENTS_AT_ONCE` at a time at most."""
    dataset = Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])
    return pieces(dataset, windows, columns, DOCUMENTS_AT_ONCE)


def documents(batch: pa.RecordBatch) -> list[NDArray[np.int32]]:
    """Return column ``symbols``: the numbers of each document."""
    column = batch["symbols"]
    flat, ends = pc.list_flatten(column).to_numpy(), np.cumsum(pc.list_value_length(column).to_numpy())
    return np.split(flat, ends[:-1]) if batch.num_rows else []


def bands_of(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return column ``bands``, (rows, BANDS)."""
    found: NDArray[np.int64] = pc.list_flatten(batch["bands"]).to_numpy().reshape(-1, BANDS)
    return found
