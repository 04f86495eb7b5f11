"""A contracted Delta table as its readers see it: every version that was ever committed, and what it says of itself.

Opening a table reads its log from the last checkpoint on. So it is opened once: its handle stays, and learns what was
committed since whenever the newest version is asked for.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from fsspec.implementations.local import LocalFileSystem

from data_contracts.contract import DataContract
from data_contracts.log import Commit, commits


class ErasedError(FileNotFoundError):
    """Files of this version were taken off the disk since."""


class ReadableTable:
    """One table, in a folder of its own.

    Args:
        folder: URI under which every table has a folder of its own.
        contract: What is promised about it.
    """

    def __init__(self, folder: str, contract: DataContract) -> None:
        self.contract = contract
        self.uri = posixpath.join(folder, contract.name)
        self._newest: DeltaTable | None = None
        self._older: DeltaTable | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the handles behind: whoever is sent a table opens it."""
        return {**self.__dict__, "_newest": None, "_older": None}

    def _open(self, version: int | None = None) -> DeltaTable | None:
        """Return the handle of a version, the newest when omitted; None when nothing was ever committed.

        Raises:
            DeltaError: There is no such version.
        """
        if self._newest is None:
            self._newest = DeltaTable(self.uri) if DeltaTable.is_deltatable(self.uri) else None
        elif version is None:
            self._newest.update_incremental()
        if version is None or self._newest is None or self._newest.version() == version:
            return self._newest
        if self._older is None or self._older.version() != version:
            self._older = DeltaTable(self.uri, version=version)
        return self._older

    def id(self) -> str | None:
        """Return the table's id, which it keeps for life; one made anew has another. None when never written."""
        table = self._open()
        return None if table is None else str(table.metadata().id)

    def version(self) -> int | None:
        """Return the newest version, or None when nothing was ever committed."""
        table = self._open()
        return None if table is None else table.version()

    def next_version(self) -> int:
        """Return the version that the next commit makes."""
        version = self.version()
        return 0 if version is None else version + 1

    def consumed(self, name: str) -> bool:
        """Whether a commit said that it consumed ``name``."""
        table = self._open()
        return table is not None and table.transaction_version(name) is not None

    def commits(self) -> Iterator[Commit]:
        """Yield what the commits say, the newest first."""
        version = self.version()
        return iter(()) if version is None else commits(self.uri, version)

    def mark(self, name: str, version: int | None = None) -> int | None:
        """Return the number last remembered under ``name``, or None."""
        table = self._open(version)
        return None if table is None else table.transaction_version(f"mark:{name}")

    def note(self, name: str) -> str | None:
        """Return the text last remembered under ``name``, or None."""
        return next((str(commit.notes[name]) for commit in self.commits() if name in commit.notes), None)

    def dataset(self, version: int | None = None) -> ds.Dataset:
        """Open the table at ``version`` (the newest when omitted) for reading in pieces, as today's contract has it.

        Raises:
            FileNotFoundError: The table, or that version of it, does not exist.
        """
        name = f"table {self.contract.name!r} version {version} at {self.uri}"
        try:
            table = self._open(version)
            if table is None:
                raise FileNotFoundError(f"{name}: nothing was ever committed")
            return table.to_pyarrow_dataset(filesystem=_file_system(self.uri), schema=self.contract.schema)
        except DeltaError as error:
            raise FileNotFoundError(f"{name}: {error}") from error

    def read(
        self,
        version: int | None = None,
        *,
        columns: list[str] | None = None,
        where: ds.Expression | None = None,
    ) -> pa.Table:
        """Read rows of one version, the newest when omitted; an empty table when nothing was ever committed.

        Raises:
            ErasedError: Files of that version are gone.
            FileNotFoundError: See `dataset`.
        """
        if version is None and self.version() is None:
            empty = self.contract.schema.empty_table()
            return empty.select(columns) if columns else empty
        dataset = self.dataset(version)
        try:
            return dataset.to_table(columns=columns, filter=where)
        except FileNotFoundError as error:
            raise ErasedError(
                f"table {self.contract.name!r} version {version} at {self.uri}: files of it were taken off the disk "
                f"since, as rows in them were erased, or nobody needed them: {error}. Read a newer version."
            ) from error

    def file_rows(self, version: int | None = None) -> dict[str, int]:
        """Rows of every file visible at ``version``, by its URI; none when nothing was ever committed."""
        table = self._open(version)
        if table is None:
            return {}
        added = pa.table(table.get_add_actions())
        return {
            posixpath.join(self.uri, unquote(path)): rows
            for path, rows in zip(added["path"].to_pylist(), added["num_records"].to_pylist(), strict=True)
        }

    def partition_of(self, file: str) -> str:
        """Return the value of the partition column in a file of this table, by the file's URI."""
        return unquote(file.removeprefix(self.uri).split("/")[1].partition("=")[2])

    def partitions(self, version: int | None = None) -> list[str]:
        """Values of the partition column at ``version``, sorted; none when nothing was ever committed."""
        table = self._open(version)
        return [] if table is None else sorted(value for part in table.partitions() for value in part.values())


def _file_system(uri: str) -> pa_fs.FileSystem | None:
    """Return Arrow's own file system for a table on disks; None for others, which deltalake reads itself.

    It does so through Python, from Arrow's threads: when one of them lets go of a scan while its process ends, that
    process dies ("terminate called without an active exception", or signal 11).
    """
    system, path = fsspec.url_to_fs(uri)
    return pa_fs.SubTreeFileSystem(path, pa_fs.LocalFileSystem()) if isinstance(system, LocalFileSystem) else None


def scan(files: Sequence[str], contract: DataContract) -> pl.LazyFrame:
    """Read some files of a table lazily, as today's contract has their columns, but for the partition's.

    Args:
        files: By their paths or URIs, written under any version of the contract.
        contract: Of the table.
    """
    columns = pl.DataFrame(contract.schema.empty_table()).schema
    return pl.scan_parquet(
        list(files),
        schema={name: kind for name, kind in columns.items() if name != contract.partition_by},
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast"),
        glob=False,  # what looks like a pattern or a column in a folder's name is none
        hive_partitioning=False,
    )
