"""Every user's newest history, in memory, for answering.

One Arrow table sorted by user and searched by bisection: nothing changes once it is made, so any number of threads may
ask at once, and a look-up reads no file. It costs the user's id and 4 bytes for each of L + seen items: a million users
with 50 and 50 take 0.44 GB, 8 s and a peak of 2.4 GB to load on two cores, and less than 0.1 ms a look-up. Times, for
a network that knows them, are 8 bytes more for each of L: 0.4 GB.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from operator import methodcaller
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.job import TablesAt
from data_contracts.reading import ErasedError
from data_contracts.recommender.state import MAX_SEEN, STATE, merged
from data_contracts.table import Table

Numbers = npt.NDArray[np.int32]
Seconds = npt.NDArray[np.int64]


class History(NamedTuple):
    """What one user did, as item numbers.

    Attributes:
        items: The last L, oldest first.
        seen: Every distinct item so far, bounded.
        second: When each of the last L was met, int64; zeros where times are not kept.
    """

    items: Numbers
    seen: Numbers
    second: Seconds


class Histories:
    """Users and what they did, at the version of the table that a bundle names; at the newest where that is erased.

    Args:
        tables: Names the version; its newest window says what is a user's newest row.
        times: Whether to keep when things were met, too: 8 bytes more for each of the L items.

    Raises:
        FileNotFoundError: The table is not there.
    """

    def __init__(self, tables: TablesAt, *, times: bool) -> None:
        columns = ["user_id", "items", "seen", *(["timestamps"] if times else [])]
        table = table_of(tables)
        version: int | None = tables.versions[table.contract.name]
        try:
            rows = pl.DataFrame(table.read(version, columns=[*columns, "window"]))
        except ErasedError:  # people were forgotten since
            table, version = Table(tables.folder, STATE), None
            rows = pl.DataFrame(table.read(columns=[*columns, "window"]))
        whole = merged(rows.lazy(), table.mark(MAX_SEEN, version)).select(columns).sort("user_id")
        arrow = whole.collect().rechunk().to_arrow()
        self._users, self._items, self._seen, *rest = (arrow[name].combine_chunks() for name in columns)
        self._times = rest[0] if rest else None

    def __len__(self) -> int:
        """Count the users."""
        return len(self._users)

    def find(self, user_id: str) -> History | None:
        """Return the user's history, or None when the logs do not know the user."""
        row = bisect_left(self._users, user_id, key=methodcaller("as_py"))
        if row == len(self) or self._users[row].as_py() != user_id:
            return None
        items = self._items[row].values.to_numpy()
        return History(items, self._seen[row].values.to_numpy(), self._second(row, len(items)))

    def _second(self, row: int, length: int) -> Seconds:
        if self._times is None:
            return np.zeros(length, np.int64)
        second: Seconds = (
            self._times[row].values.to_numpy(zero_copy_only=False).astype("datetime64[s]").astype(np.int64)
        )
        return second


def table_of(tables: TablesAt) -> Table:
    """Return the table of users that a record names; a night of older code has its rows by window in `histories`."""
    before = replace(STATE, name="histories", partition_by="window")
    return Table(tables.folder, STATE if STATE.name in tables.versions else before)
