"""A contracted Delta table: parts are written by many, and become visible together in one commit.

A commit names the input it consumed as application transactions (``file:<sha256>``, ``events@7``). The same
input is consumed once: that is all it takes to run a night twice and change nothing.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from data_contracts.commit_point import commit_point
from data_contracts.contract import DataContract
from data_contracts.night import Value

ROWS_PER_ROW_GROUP = 128 * 1024


class Part(Value):
    """One Parquet file of a table, written but not yet visible."""

    path: str
    size: int
    rows: int
    partition: dict[str, str | None]
    stats: str


class Table:
    """One table of a night, in a folder of its own.

    Args:
        folder: URI under which every table has a folder of its own.
        contract: What is promised about it.
    """

    def __init__(self, folder: str, contract: DataContract) -> None:
        self.contract = contract
        self.uri = posixpath.join(folder, contract.name)

    def write(self, rows: pa.Table, name: str) -> list[Part]:
        """Write ``rows`` as files that nobody sees before `commit`, one for each value of the partition column.

        Args:
            rows: Whatever `DataContract.conform` accepts.
            name: File name without its ending. A task that runs again gives the same name, and replaces its file.

        Raises:
            SchemaMismatchError: ``rows`` is not what the contract promises.
        """
        rows = self.contract.conform(rows)
        column = self.contract.partition_by
        if column is None:
            return [self._write_file(rows, f"{name}.parquet", {})] if rows.num_rows else []
        rows = rows.sort_by([(column, "ascending")]) if not _is_constant(rows[column]) else rows
        parts: list[Part] = []
        start = 0
        for run in pc.value_counts(rows[column]):
            value, count = run["values"].as_py(), run["counts"].as_py()
            piece = rows.slice(start, count).drop_columns([column])
            text = str(value)
            parts.append(self._write_file(piece, f"{column}={quote(text)}/{name}.parquet", {column: text}))
            start += count
        return parts

    def _write_file(self, rows: pa.Table, path: str, partition: dict[str, str | None]) -> Part:
        with fsspec.open(posixpath.join(self.uri, path), "wb", auto_mkdir=True) as file:
            pq.write_table(rows, file, compression="zstd", row_group_size=ROWS_PER_ROW_GROUP)
            size = file.tell()
        return Part(path=path, size=size, rows=rows.num_rows, partition=partition, stats=_stats(rows))

    def commit(self, parts: Iterable[Part], consumed: Sequence[str], *, marks: dict[str, int] | None = None) -> int:
        """Make ``parts`` visible in one commit that says what it consumed, and return the table's version.

        When every input named was consumed before, nothing is committed.

        Args:
            parts: What `write` returned, from any process.
            consumed: The input, as application transactions.
            marks: Numbers to remember beside it, by name; read back by `mark`.

        Raises:
            ValueError: Some of the input was consumed before and some was not: two nights were mixed.
            deltalake.exceptions.CommitFailedError: Another commit came first.
        """
        table = self._open()
        done = [name for name in consumed if table is not None and table.transaction_version(name) is not None]
        if table is not None and consumed and len(done) == len(consumed):
            return table.version()
        if done:
            raise ValueError(
                f"table {self.contract.name!r}: {len(done):,} of {len(consumed):,} inputs were consumed before, "
                f"e.g. {done[0]!r}. Start the night again: it takes only what is new."
            )
        transactions = [Transaction(name, 0) for name in consumed]
        transactions += [Transaction(f"mark:{name}", number) for name, number in (marks or {}).items()]
        properties = CommitProperties(app_transactions=transactions)
        added = [
            AddAction(part.path, part.size, part.partition, modification_time=0, data_change=True, stats=part.stats)
            for part in parts
        ]
        partition_by = [self.contract.partition_by] if self.contract.partition_by else []
        with commit_point(self.contract.name):
            if table is None:
                create_table_with_add_actions(
                    self.uri,
                    _delta(self.contract.schema),
                    added,
                    mode="error",
                    partition_by=partition_by,
                    name=self.contract.name,
                    commit_properties=properties,
                )
                return 0
            table.create_write_transaction(
                list[AddAction | RemoveAction](added),
                mode="append",
                schema=_delta(self.contract.schema),
                partition_by=partition_by,
                commit_properties=properties,
            )
        table.update_incremental()
        return table.version()

    def _open(self, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri, version=version)
        except TableNotFoundError:
            return None

    def version(self) -> int | None:
        """Return the newest version, or None when nothing was ever committed."""
        table = self._open()
        return None if table is None else table.version()

    def consumed(self, name: str) -> bool:
        """Whether a commit said that it consumed ``name``."""
        table = self._open()
        return table is not None and table.transaction_version(name) is not None

    def unseen(self, names: Iterable[str]) -> set[str]:
        """Return those of ``names`` that no commit consumed."""
        table = self._open()
        return {name for name in names if table is None or table.transaction_version(name) is None}

    def discard(self, parts: Iterable[Part]) -> None:
        """Remove those of ``parts`` that no commit made visible."""
        visible = self.file_rows()
        system, folder = fsspec.url_to_fs(self.uri)
        for part in parts:
            if posixpath.join(self.uri, part.path) not in visible:
                system.rm(posixpath.join(folder, part.path))

    def mark(self, name: str, version: int | None = None) -> int | None:
        """Return the number last remembered under ``name``, or None."""
        table = self._open(version)
        return None if table is None else table.transaction_version(f"mark:{name}")

    def dataset(self, version: int | None = None) -> ds.Dataset:
        """Open the table at ``version`` (the newest when omitted) for reading in pieces.

        Raises:
            FileNotFoundError: The table, or that version of it, does not exist.
        """
        try:
            return DeltaTable(self.uri, version=version).to_pyarrow_dataset()
        except (TableNotFoundError, DeltaError) as error:
            raise FileNotFoundError(f"table {self.contract.name!r} version {version} at {self.uri}: {error}") from error

    def read(
        self,
        version: int | None = None,
        *,
        columns: list[str] | None = None,
        where: ds.Expression | None = None,
    ) -> pa.Table:
        """Read rows of one version, the newest when omitted; an empty table when nothing was ever committed."""
        if version is None and self.version() is None:
            empty = self.contract.schema.empty_table()
            return empty.select(columns) if columns else empty
        return self.dataset(version).to_table(columns=columns, filter=where)

    def files(self, version: int | None = None) -> set[str]:
        """URIs of the files visible at ``version``; none when nothing was ever committed."""
        table = self._open(version)
        return set() if table is None else set(table.file_uris())

    def file_rows(self, version: int | None = None) -> dict[str, int]:
        """Rows of every file visible at ``version``, by its URI; none when nothing was ever committed."""
        table = self._open(version)
        if table is None:
            return {}
        added = pa.table(table.get_add_actions())
        return {
            posixpath.join(self.uri, path): rows
            for path, rows in zip(added["path"].to_pylist(), added["num_records"].to_pylist(), strict=True)
        }

    def partitions(self, version: int | None = None) -> list[str]:
        """Values of the partition column at ``version``, sorted; none when nothing was ever committed."""
        table = self._open(version)
        return [] if table is None else sorted(value for part in table.partitions() for value in part.values())


def _is_constant(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column)
    return bool(bounds["min"].as_py() == bounds["max"].as_py())


def _stats(rows: pa.Table) -> str:
    """Delta's file statistics, as JSON: the number of rows and no bounds.

    With bounds for some columns only, deltalake 1.6.6 reads those of the others as null, and a filter on such a column
    finds nothing, silently. Parquet's own bounds serve as well: they leave out row groups when reading by bucket.
    """
    return json.dumps({"numRecords": rows.num_rows})


def _delta(schema: pa.Schema) -> Schema:
    return Schema.from_arrow(schema)
