"""The log of a table, as it lies there: what each commit says beside the files that it brings."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import fsspec
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

_SAYS = ('{"commitInfo"', '{"txn"')
"""How the lines begin that are read; a night of many files has many others."""


class Commit(NamedTuple):
    """What a commit says.

    Attributes:
        version: That it made.
        notes: Texts by name, among what Delta itself notes down.
        transactions: Name of each application transaction to its number.
    """

    version: int
    notes: Mapping[str, Any]
    transactions: Mapping[str, int]


def commits(uri: str, newest: int) -> Iterator[Commit]:
    """Yield the commits of a table, the newest first, each read when it is asked for.

    Of commits that were cleaned away a checkpoint has the transactions: it is the last one, and stands for them all.

    Args:
        uri: Of the table's folder.
        newest: Version to begin with.
    """
    system, folder = fsspec.url_to_fs(posixpath.join(uri, "_delta_log"))
    for version in range(newest, -1, -1):
        path = posixpath.join(folder, f"{version:020}.json")
        if not system.exists(path):
            yield Commit(version, {}, _of_checkpoint(system, folder))
            return
        with system.open(path, "r", encoding="utf-8") as lines:
            actions = [json.loads(line) for line in lines if line.startswith(_SAYS)]
        notes = [action["commitInfo"] for action in actions if "commitInfo" in action]
        said = (action["txn"] for action in actions if "txn" in action)
        yield Commit(version, notes[0] if notes else {}, {each["appId"]: each["version"] for each in said})


def _of_checkpoint(system: AbstractFileSystem, folder: str) -> dict[str, int]:
    """Return the transactions of the oldest checkpoint, which has those of all commits before it."""
    oldest = min(file for file in system.ls(folder, detail=False) if file.endswith(".checkpoint.parquet"))
    with system.open(oldest, "rb") as file:
        said = pq.read_table(file, columns=["txn"])["txn"].drop_null().to_pylist()
    return {each["appId"]: each["version"] for each in said}
