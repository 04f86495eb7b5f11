"""What training and judging read of the tables: in pieces, always in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.language.examples import BANDS, EXAMPLES
from data_contracts.language.symbols import SYMBOLS, spelled
from data_contracts.table import Table
from models.reading import pieces

DOCUMENTS_AT_ONCE = 128
"""Each may have a million symbols."""


def symbols(tables: TablesAt, windows: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return what every number stands for, see `spelled`; if ``windows`` are given, of those alone first met there.

    Args:
        tables: Where, and which versions.
        windows: Up to one: the characters of later ones have higher numbers.
    """
    rows = Table(tables.folder, SYMBOLS).read(tables.versions[SYMBOLS.name])
    if windows is not None:
        rows = rows.filter(pc.is_in(rows["first_window"], pa.array(windows, pa.string())))
    return spelled(rows)


def batches(tables: TablesAt, windows: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the examples of some windows, window by window, `DOCUMENTS_AT_ONCE` at a time at most."""
    dataset = Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])
    return pieces(dataset, windows, columns, DOCUMENTS_AT_ONCE)


def count_symbols(tables: TablesAt, windows: Sequence[str], tokens: str) -> int:
    """Count the symbols of the documents of some windows.

    Args:
        tables: Where, and which versions.
        windows: Of which.
        tokens: What documents are made to: what is counted already is not counted again.
    """
    if tokens == "subwords":
        counts = (pc.sum(pc.list_value_length(each["symbols"])) for each in batches(tables, windows, ["symbols"]))
    else:
        counts = (pc.sum(each[tokens]) for each in batches(tables, windows, [tokens]))
    return sum(count.as_py() or 0 for count in counts)


def documents(batch: pa.RecordBatch) -> list[NDArray[np.int32]]:
    """Return column ``symbols``: the numbers of each document."""
    column = batch["symbols"]
    flat, ends = pc.list_flatten(column).to_numpy(), np.cumsum(pc.list_value_length(column).to_numpy())
    return np.split(flat, ends[:-1]) if batch.num_rows else []


def bands_of(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return column ``bands``, (rows, BANDS)."""
    found: NDArray[np.int64] = pc.list_flatten(batch["bands"]).to_numpy().reshape(-1, BANDS)
    return found
