"""Put few files of a table in the place of many small ones. A night may be at work: only what it is done with moves."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date
from typing import NamedTuple

import polars as pl
from distributed import Client

from data_contracts.buckets import Buckets, buckets_of
from data_contracts.disk import COMPACTED
from data_contracts.night import Workspace
from data_contracts.promises import Promises
from data_contracts.reading import scan
from data_contracts.staging import LABELS
from data_contracts.table import Part, Table
from tasks.cluster import on_workers
from tasks.preprocess.truth import came_with, window_end

ROWS = 1_000_000
"""That one file holds at most, about, and one task in memory."""

_HEAD = re.compile(r"^([a-z]+-\d+)")


class Group(NamedTuple):
    """Files that become one.

    Attributes:
        files: URIs, of one partition.
        name: Of the one, without ending.
    """

    files: tuple[str, ...]
    name: str


class Compacted(NamedTuple):
    """What became of a table's files: how many gave way, and how many took their place."""

    before: int = 0
    after: int = 0


def compact(
    client: Client,
    workspace: Workspace,
    promised: Promises,
    table: Table,
    size: int,
    lock: AbstractContextManager[None],
) -> Compacted:
    """Put files together, in one commit that changes no row.

    Args:
        client: Of the Dask cluster.
        workspace: Whose.
        promised: By its use case.
        table: One of its tables.
        size: Bytes that a file is to have, about.
        lock: Held during the commit: no night is at work then. What it removed or wrote anew meanwhile stays as it is.
    """
    table.remove_orphans(of_upkeep=True)
    todo = groups(table, done_with(workspace, promised, table), size)
    if not todo:
        return Compacted()
    parts = on_workers(client, _Write(table), todo)
    with lock:
        there = table.file_rows().keys()
        pairs = [(group, part) for group, part in zip(todo, parts, strict=True) if there >= {*group.files}]
        if pairs:
            table.replace([file for group, _ in pairs for file in group.files], [part for _, part in pairs])
    table.remove_orphans(of_upkeep=True)
    return Compacted(sum(len(group.files) for group, _ in pairs), len(pairs))


def done_with(workspace: Workspace, promised: Promises, table: Table) -> dict[str, int]:
    """Return a table's files, with their rows, whose place no night needs any more to know which rows are new."""
    files, name = table.file_rows(), table.contract.name
    inflows = {inflow.kept.name: of for of, inflow in promised.incoming.items()}
    if name not in inflows:
        return files
    truth, last = Table(workspace.tables, promised.truth), Table(workspace.tables, promised.made[-1])
    done = last.mark(truth.contract.name)
    seen = done if inflows[name] == "source" or done is None else truth.mark(LABELS, done)
    if done is None or seen is None:
        return {}
    end = window_end(truth, done)
    days = {file: date.fromisoformat(table.partition_of(file)) for file in files}
    return {file: rows for file, rows in files.items() if came_with(file) <= seen and days[file] <= end}


def groups(table: Table, files: Mapping[str, int], size: int) -> list[Group]:
    """Say which files become one: small ones of one partition whose buckets follow each other.

    Args:
        table: Whose.
        files: With their rows, by URI.
        size: Bytes that a file is to have, about.
    """
    sizes = table.on_disk()
    parted = defaultdict[str, list[str]](list)
    for file in files:
        if sizes[file] < size // 2 and files[file] < ROWS // 2:
            parted[posixpath.dirname(file)].append(file)
    version = table.next_version()
    return [
        Group(tuple(own), _name(own, version, number))
        for folder in sorted(parted)
        for number, own in enumerate(_runs(parted[folder], files, sizes, size))
        if len(own) > 1
    ]


def _runs(own: list[str], rows: Mapping[str, int], sizes: Mapping[str, int], size: int) -> Iterator[list[str]]:
    run: list[str] = []
    for file in sorted(own, key=lambda each: (buckets_of(each).first, buckets_of(each).end, each)):
        held = [*run, file]
        if run and (sum(sizes[each] for each in held) > size or sum(rows[each] for each in held) > ROWS):
            yield run
            run = []
        run.append(file)
    yield run


def _name(files: list[str], version: int, number: int) -> str:
    """Name a file by the newest of the nights, and by all of the buckets, of those that it takes the place of."""
    heads = [_HEAD.match(posixpath.basename(file)) for file in files]
    newest = max((head[1] for head in heads if head), key=lambda each: int(each.rpartition("-")[2]))
    buckets = [buckets_of(file) for file in files]
    whole = Buckets(first=min(each.first for each in buckets), end=max(each.end for each in buckets))
    return f"{newest}{COMPACTED}{version:06}-{number:05}-{whole.name}"


class _Write:
    """Write the file that a group becomes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __call__(self, group: Group) -> Part:
        contract = self._table.contract
        rows = pl.concat(scan([file], contract).collect() for file in group.files)
        if contract.partition_by:
            rows = rows.with_columns(pl.lit(self._table.partition_of(group.files[0])).alias(contract.partition_by))
        if "bucket" in rows.columns:
            rows = rows.sort("bucket", maintain_order=True)
        (part,) = self._table.write(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), group.name)
        return part
