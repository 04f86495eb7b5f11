"""Erase what tables say about people who are forgotten: in the order in which a run that was killed goes on."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import fsspec
import polars as pl
import pyarrow.parquet as pq
from distributed import Client

from data_contracts.forgotten import Forgotten
from data_contracts.night import Workspace
from data_contracts.promises import Promises
from data_contracts.reading import scan
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.cluster import on_workers
from tasks.forget.rows import Search, erase
from tasks.preprocess.nights import ERASED
from tasks.preprocess.truth import new_files

log = logging.getLogger(__name__)


class NightUnfinishedError(Exception):
    """A night was broken off: it goes on from versions of the tables that erasing would take away."""


def refuse_unfinished(workspace: Workspace) -> None:
    """See that every night that was begun is done.

    Raises:
        NightUnfinishedError: One is not.
    """
    promised = promises(workspace.use_case)
    truth, last = (Table(workspace.tables, each) for each in (promised.truth, promised.made[-1]))
    published, done = truth.mark("published"), last.mark(promised.truth.name)
    if published is not None and any(new_files(truth, done, published).values()):
        raise NightUnfinishedError(
            f"the night that took version {published} of table {truth.contract.name!r} was broken off; the newest one "
            f"that is done took version {done}. Nothing was erased; rows of these people are left out from now on. "
            "Start the night again, and then this."
        )


def first_window(workspace: Workspace, forgotten: Forgotten, client: Client) -> str:
    """Return the key of the first window with an example about the people; empty without any."""
    promised = promises(workspace.use_case)
    found = list[str]()
    for contract in promised.made:
        table = Table(workspace.tables, contract)
        if contract.partition_by != "window" or promised.subject not in contract.schema.names:
            continue
        search, files = Search(table, forgotten, promised.subject), sorted(table.file_rows())
        holds = on_workers(client, partial(_holds, search), files)
        found += [table.partition_of(file) for file, holding in zip(files, holds, strict=True) if holding]
    return min(found, default="")


def erase_rows(workspace: Workspace, forgotten: Forgotten, client: Client) -> dict[str, int]:
    """Erase the rows about the people from every table, and from the disk; return how many there were, by table.

    The truth comes last: labels are found by the keys of its rows.
    """
    promised = promises(workspace.use_case)
    rows = dict[str, int]()
    for search in _searches(workspace, promised, forgotten, client):
        rows[search.table.contract.name] = erase(client, search)
        log.info("%s: %s rows erased", search.table.contract.name, f"{rows[search.table.contract.name]:,}")
    truth, last = (Table(workspace.tables, each) for each in (promised.truth, promised.made[-1]))
    if last.version() is not None and (version := truth.version()) != last.mark(ERASED):
        last.replace([], [], marks={ERASED: version or 0})
    for file in _of_older_code(workspace, promised):
        if forgotten.are(pl.read_parquet(file, columns=[promised.subject], glob=False)[promised.subject]).any():
            system, path = fsspec.url_to_fs(file)
            system.rm(path)
    return rows


def _searches(workspace: Workspace, promised: Promises, forgotten: Forgotten, client: Client) -> Iterator[Search]:
    """Yield what is looked for in each table."""
    subject = promised.subject
    quarantines = [inflow.quarantine for inflow in promised.incoming.values()]
    for contract in (*promised.made, *quarantines):
        if subject in contract.schema.names or contract in quarantines:
            yield Search(Table(workspace.tables, contract), forgotten, subject)
    truth = Search(Table(workspace.tables, promised.truth), forgotten, subject)
    if promised.labels is not None:
        labels = Table(workspace.tables, promised.labels.contract)
        keys = on_workers(client, partial(_keys, truth, promised.labels.key), sorted(truth.table.file_rows()))
        empty = pl.DataFrame(promised.labels.contract.schema.empty_table()).select(promised.labels.key)
        yield Search(labels, forgotten, subject, pl.concat([empty, *keys]).unique())
    yield truth


def _holds(search: Search, file: str) -> bool:
    """Whether a file has rows that are looked for."""
    return bool(search.found(file).any())


def _keys(search: Search, key: tuple[str, ...], file: str) -> pl.DataFrame:
    """Return the keys of those rows of a file."""
    return scan([file], search.table.contract).select(key).collect().filter(search.found(file)).drop_nulls()


def _of_older_code(workspace: Workspace, promised: Promises) -> Iterator[str]:
    """Yield the Parquet files with the people's column that lie beside the tables: they were tables once."""
    system, path = fsspec.url_to_fs(workspace.tables)
    known = set(promised.contracts)
    for folder in sorted(system.ls(path, detail=False) if system.exists(path) else ()):
        name = posixpath.basename(folder)
        if name not in known:
            for file in Table(workspace.tables, replace(promised.truth, name=name)).on_disk():
                with fsspec.open(file, "rb") as opened:
                    columns = pq.read_schema(opened).names
                if promised.subject in columns:
                    yield file
