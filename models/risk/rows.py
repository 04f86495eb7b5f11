"""Examples as arrays. Shape letters: B rows, F features, N numbers of a transaction's own among them, the last ones."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.risk.examples import EXAMPLES, FEATURES, KNOWN_AT
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import LAST_NUMBER, PARTIES
from data_contracts.risk.past import squashed
from data_contracts.table import Table

Floats = NDArray[np.float32]

INPUTS = ("from_number", "to_number", *FEATURES)
"""Columns of what is learned from: numbers of parties, exact in float32 up to `LAST_NUMBER`, and features; after them
come the transaction's own numbers, see `inputs`."""


def feature_names(numbers: int) -> tuple[str, ...]:
    """Name all features where a transaction has so many numbers of its own."""
    return (*FEATURES, *(f"number_{place}" for place in range(1, numbers + 1)))


def plain(numbers: int) -> tuple[str, ...]:
    """Say in plain words what each input is, parties first."""
    parties = ("who the giving party is", "who the receiving party is")
    return (*parties, *FEATURES.values(), *(f"number {place} of its own" for place in range(1, numbers + 1)))


def inputs(examples: pl.DataFrame, numbers: int) -> pl.DataFrame:
    """Return what is learned from: parties and `feature_names`, float32; own numbers `squashed`, null where not known.

    Args:
        examples: `INPUTS`, and ``numbers``: lists, null or of that length.
        numbers: N.
    """
    own = pl.col(NUMBERS.name).list
    numbered = {f"number_{place + 1}": squashed(own.get(place, null_on_oob=True)) for place in range(numbers)}
    return examples.select(pl.col(INPUTS), **numbered).cast(pl.Float32)


def as_floats(inputs: pl.DataFrame) -> Floats:
    """Return inputs as one array, (B, 2 + F); NaN where a number is not known."""
    return inputs.to_numpy().astype(np.float32)


class Rows(NamedTuple):
    """Transactions, in order of time.

    Attributes:
        inputs: (B, 2 + F), see `as_floats`.
        labels: 1 bad, 0 good, NaN: nobody knows yet; (B,).
    """

    inputs: Floats
    labels: Floats

    def labelled(self) -> Self:
        """Return those with a label."""
        return self.taken(np.flatnonzero(~np.isnan(self.labels)))

    def taken(self, rows: NDArray[np.int64]) -> Self:
        """Return some of them."""
        return type(self)(self.inputs[rows], self.labels[rows])


def read(tables: TablesAt, windows: tuple[str, ...], *, since: datetime | None = None) -> Rows:
    """Read the examples of some windows, always in the same order.

    Args:
        tables: Have them.
        windows: Keys.
        since: What was known before came late, and is left out.
    """
    columns = [*INPUTS, "label", "happened_at", NUMBERS.name]
    where = pc.field("window").isin(list(windows))
    if since is not None:
        where &= pc.coalesce(pc.field(KNOWN_AT.name), pc.field("happened_at")) >= since
    table = Table(tables.folder, EXAMPLES).read(tables.versions[EXAMPLES.name], columns=columns, where=where)
    examples = pl.DataFrame(table)
    found = inputs(examples, own_numbers(tables))
    ordered = pl.concat([examples.select("happened_at", "label"), found], how="horizontal").sort(
        "happened_at", *found.columns, "label"
    )
    labels = ordered["label"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return Rows(as_floats(ordered.select(found.columns)), labels)


def own_numbers(tables: TablesAt) -> int:
    """Return how many numbers of its own every transaction has; 0 in tables of before there were any."""
    return Table(tables.folder, EXAMPLES).mark(NUMBERS.name, tables.versions[EXAMPLES.name]) or 0


def known_parties(tables: TablesAt, windows: tuple[str, ...]) -> int:
    """Count the parties first met in ``windows``: they have the numbers from 1 on.

    Raises:
        ValueError: They are more than float32 can number.
    """
    where = pc.field("first_window").isin(list(windows))
    parties = Table(tables.folder, PARTIES).dataset(tables.versions[PARTIES.name]).count_rows(filter=where)
    if parties > LAST_NUMBER:
        raise ValueError(f"{parties:,} parties are more than batches can number, {LAST_NUMBER:,}.")
    return int(parties)
