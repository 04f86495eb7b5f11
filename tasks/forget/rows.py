"""Rows about people who are forgotten, of one table: found, and left out of the files that take the place of theirs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import fsspec
import polars as pl
from distributed import Client

from data_contracts.forgotten import Forgotten
from data_contracts.quarantine import QUARANTINE
from data_contracts.reading import scan
from data_contracts.table import Part, Table
from tasks.cluster import on_workers

_NAME = re.compile(r"(?P<head>[a-z]+-\d+)(-erased-\d+)?(?P<rest>.*)\.parquet$")
"""Of a table's file: how it begins says with which night its rows came, how it ends of which buckets they are."""


class Search(NamedTuple):
    """Which rows of a table are looked for.

    Attributes:
        table: Whose.
        forgotten: People.
        subject: Column that names the person; empty where rows are found by ``keys`` alone.
        keys: Rows of other tables about them, by what these have in common with this one; none where it has nothing.
    """

    table: Table
    forgotten: Forgotten
    subject: str
    keys: pl.DataFrame | None = None

    def found(self, file: str) -> pl.Series:
        """Return which rows of a file are about the people."""
        contract = self.table.contract
        if contract.schema.equals(QUARANTINE.schema):
            return self.forgotten.are_named_in(_read(file, self.table, ["row"])["row"])
        if self.subject in contract.schema.names:
            return self.forgotten.are(_read(file, self.table, [self.subject])[self.subject])
        assert self.keys is not None
        by = self.keys.columns
        own, wanted = _read(file, self.table, by), self.keys.with_columns(found=pl.lit(value=True))
        return own.join(wanted, on=by, how="left", maintain_order="left")["found"].fill_null(value=False)


class Erased(NamedTuple):
    """What became of a file.

    Attributes:
        file: Its URI.
        rows: That were left out; none where it stays.
        parts: In its place; none where nothing is left.
    """

    file: str
    rows: int
    parts: list[Part]


def erase(client: Client, search: Search) -> int:
    """Take the rows out of a table in one commit, then every file that has them off the disk; return how many.

    Versions of the table that had such files cannot be read any more.
    """
    table = search.table
    files = table.file_rows()
    if table.version() is None:
        return 0
    done = on_workers(client, partial(_without, search=search, version=table.next_version()), sorted(files))
    gone = [each for each in done if each.rows]
    rows = sum(each.rows for each in gone)
    if gone:
        promised = table.mark("rows")
        marks = {} if promised is None else {"rows": promised - rows}
        parts = [part for each in gone for part in each.parts]
        table.replace([each.file for each in gone], parts, marks=marks, data_change=True)
    hidden = sorted(table.on_disk().keys() - table.file_rows().keys())
    for file in {each for each in on_workers(client, partial(_holding, search=search), hidden) if each}:
        system, path = fsspec.url_to_fs(file)
        system.rm(path)
    return rows


def _without(file: str, search: Search, version: int) -> Erased:
    """Write what stays of a file that has such rows."""
    found, table = search.found(file), search.table
    if not found.any():
        return Erased(file, 0, [])
    contract = table.contract
    rows = scan([file], contract).collect().filter(~found)
    if contract.partition_by:
        rows = rows.with_columns(pl.lit(table.partition_of(file)).alias(contract.partition_by))
    named = _NAME.search(posixpath.basename(file))
    assert named is not None, f"{file}: no name that this house gives"
    name = f"{named['head']}-erased-{version:06}{named['rest']}"
    parts = table.write(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), name) if rows.height else []
    return Erased(file, int(found.sum()), parts)


def _holding(file: str, search: Search) -> str:
    """Return a file that has such rows; of one that has not, nothing."""
    return file if search.found(file).any() else ""


def _read(file: str, table: Table, columns: Sequence[str]) -> pl.DataFrame:
    return scan([file], table.contract).select(columns).collect()
