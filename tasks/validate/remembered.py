"""Mixes of the nights before: each night's stands in the commit of its rows, and becomes visible with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from pydantic import TypeAdapter

from data_contracts.log import Commit
from data_contracts.table import Table
from tasks.validate.mix import Mix

NIGHTS_COMPARED = 7
"""Nights with rows of their own, the newest ones, that a mix is compared with."""
_COMMITS_READ = 28
"""At most: there are such without rows."""
_NOTE = "mixes"
"""Note of a commit: `Mix` by column, JSON, of the rows that it brings."""
_MIXES = TypeAdapter(dict[str, Mix])


def mixes_note(mixes: Mapping[str, Mix]) -> dict[str, str]:
    """Return the note of a commit that brings rows; none without mixes."""
    return {_NOTE: _MIXES.dump_json(dict(mixes)).decode()} if mixes else {}


def mixes_before(table: Table, columns: Iterable[str]) -> dict[str, list[Mix]]:
    """Return the mixes of the `NIGHTS_COMPARED` nights before, those that are remembered, by column.

    Nights of older code, and those for which nobody asked, remember none. A few small files are read, and no row.

    Args:
        table: Of rows from outside.
        columns: Whose mixes.
    """
    found: dict[str, list[Mix]] = {name: [] for name in columns}
    if not found:
        return found
    nights = filter(_has_rows, islice(table.commits(), _COMMITS_READ))
    for night in islice(nights, NIGHTS_COMPARED):
        mixes = _MIXES.validate_json(night.notes.get(_NOTE, "{}"))
        for name in found.keys() & mixes.keys():
            found[name].append(mixes[name])
    return found


def _has_rows(commit: Commit) -> bool:
    return commit.transactions.get("mark:accepted", 0) > 0
