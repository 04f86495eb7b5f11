"""Examples as arrays. Shape letters: B rows, F features."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import TablesAt
from data_contracts.risk.examples import EXAMPLES, FEATURES
from data_contracts.risk.parties import LAST_NUMBER, PARTIES
from data_contracts.table import Table

Floats = NDArray[np.float32]

INPUTS = ("from_number", "to_number", *FEATURES)
"""Columns of what is learned from: numbers of parties, exact in float32 up to `LAST_NUMBER`, and features."""
PLAIN = ("who the giving party is", "who the receiving party is", *FEATURES.values())
"""What each of them is, in plain words."""


class Rows(NamedTuple):
    """Transactions, in order of time.

    Attributes:
        inputs: (B, 2 + F), as `INPUTS`.
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
        since: What is older came late, and is left out.
    """
    columns = [*INPUTS, "label", "happened_at"]
    where = pc.field("window").isin(list(windows))
    if since is not None:
        where &= pc.field("happened_at") >= since
    table = Table(tables.folder, EXAMPLES).read(tables.versions[EXAMPLES.name], columns=columns, where=where)
    examples = pl.DataFrame(table).sort("happened_at", *columns[:-1])
    inputs = examples.select(pl.col(INPUTS).cast(pl.Float32)).to_numpy().astype(np.float32)
    return Rows(inputs, examples["label"].cast(pl.Float32).fill_null(float("nan")).to_numpy())


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
