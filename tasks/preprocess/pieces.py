"""A file of payloads whose labels may come later: read in pieces, made into examples, written in parts.

How much is in memory follows from the size of pieces and parts, not from that of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from data_contracts.contract import DataContract
from data_contracts.days import days_of
from data_contracts.promises import Promises
from data_contracts.table import Table
from tasks.preprocess.labels import IS_DISPUTED, KNOWN_AT, Due, known, labelled
from tasks.preprocess.plan import Plan
from tasks.preprocess.taken import Taken
from tasks.preprocess.write import write_checked

BYTES_OF_A_PART = 64 * 2**20
"""That one file of examples holds in memory, about, until it is written."""


class Piece(NamedTuple):
    """Some rows of a file: how many were read, and those that no night has done."""

    read: int
    rows: pl.DataFrame


class Destination(NamedTuple):
    """Where the examples of one file go.

    Attributes:
        plan: Which window takes which day.
        day_zone: Zone whose days these are.
        folder: URI of the tables.
        contract: Of the table.
        name: Of the files to write, without ending and number.
    """

    plan: Plan
    day_zone: str
    folder: str
    contract: DataContract
    name: str

    def windows(self, rows: pl.DataFrame) -> list[str]:
        """Return the key of the window of each row, by the day on which it was known."""
        return [self.plan.of(day) for day in rows.select(days_of(pl.col(KNOWN_AT), self.day_zone)).to_series()]


def pieces(due: Due, promises: Promises, columns: list[str], rows: int) -> Iterator[Piece]:
    """Yield the rows of a file with the labels that they have for this night, at most ``rows`` at a time."""
    labels, truth = promises.labels, promises.truth
    assert labels is not None
    assert truth.time_column is not None
    found = known(due, labels)
    for batch in _batches(due.file, truth, columns, rows):
        told = labelled(pl.LazyFrame(batch), found, due, labels, truth.time_column)
        yield Piece(batch.num_rows, told.collect())


def cut(found: Iterable[Piece], make: Callable[[pl.DataFrame], pl.DataFrame], to: Destination) -> Taken:
    """Write the labelled rows of a file as examples; the same file gives the same parts.

    Args:
        found: See `pieces`.
        make: Makes examples of labelled rows.
        to: Where they go.
    """
    taken, held = Taken([]), list[pl.DataFrame]()
    for piece in found:
        told = piece.rows.drop_nulls(KNOWN_AT)
        taken = taken._replace(
            read=taken.read + piece.read,
            waiting=taken.waiting + piece.rows.height - told.height,
            done=taken.done + piece.read - piece.rows.height,
            disputed=taken.disputed + int(told[IS_DISPUTED].sum()),
        )
        held.append(make(told))
        if sum(each.estimated_size() for each in held) + held[-1].estimated_size() > BYTES_OF_A_PART:
            held = _write(held, to, taken)
    _write(held, to, taken)
    return taken


def _batches(file: str, truth: DataContract, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    system, path = fsspec.url_to_fs(file)
    own = pa.schema([field for field in truth.schema if field.name != truth.partition_by])
    found = ds.dataset([path], schema=own, format="parquet", filesystem=system)
    yield from found.to_batches(columns=columns, batch_size=rows, batch_readahead=1, fragment_readahead=1)


def _write(held: list[pl.DataFrame], to: Destination, taken: Taken) -> list[pl.DataFrame]:
    """Write what is held, if anything; nothing is held afterwards."""
    if held:
        table, name = Table(to.folder, to.contract), f"{to.name}-{len(taken.parts):03}"
        taken.parts.extend(write_checked(table, pl.concat(held), name, to.plan.window.last_day, to.day_zone))
    return []
