"""A contracted Delta table: parts are written by many, and become visible together in one commit.

A commit names the input it consumed as application transactions (``file:<sha256>``, ``events@7``). The same
input is consumed once: that is all it takes to run a night twice and change nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from data_contracts.commit_point import commit_point
from data_contracts.contract import DataContract
from data_contracts.part import Part, write_parts

__all__ = ["Part", "Table"]

EVERY_VERSION_STAYS = {"delta.enableExpiredLogCleanup": "false"}
"""Otherwise each hundredth commit removes the log of versions older than 30 days, and nobody can read them any more."""


class Table:
    """One table of a night, in a folder of its own. Rows are added and never changed.

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
        return write_parts(rows, self.contract, self.uri, name)

    def commit(
        self,
        parts: Iterable[Part],
        consumed: Sequence[str],
        *,
        marks: dict[str, int] | None = None,
        notes: dict[str, str] | None = None,
    ) -> int:
        """Make ``parts`` visible in one commit that says what it consumed, and return the table's version.

        When every input named was consumed before, nothing is committed.

        Args:
            parts: What `write` returned, from any process.
            consumed: The input, as application transactions.
            marks: Numbers to remember beside it, by name; read back by `mark`.
            notes: Texts to remember in the log of commits, by name; read back by `note`.

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
        added = [part.added() for part in parts]
        with commit_point(self.contract.name):
            return self._append(table, added, CommitProperties(notes, app_transactions=transactions))

    def _append(self, table: DeltaTable | None, added: list[AddAction], properties: CommitProperties) -> int:
        schema = Schema.from_arrow(self.contract.schema)
        partition_by = [self.contract.partition_by] if self.contract.partition_by else []
        if table is None:
            create_table_with_add_actions(
                self.uri,
                schema,
                added,
                partition_by=partition_by,
                name=self.contract.name,
                configuration=EVERY_VERSION_STAYS,
                commit_properties=properties,
            )
            return 0
        actions = list[AddAction | RemoveAction](added)
        table.create_write_transaction(actions, "append", schema, partition_by, commit_properties=properties)
        table.update_incremental()
        return table.version()

    def _open(self, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri, version=version)
        except TableNotFoundError:
            return None

    def id(self) -> str | None:
        """Return the table's id, which it keeps for life; one made anew has another. None when never written."""
        table = self._open()
        return None if table is None else str(table.metadata().id)

    def version(self) -> int | None:
        """Return the newest version, or None when nothing was ever committed."""
        table = self._open()
        return None if table is None else table.version()

    def consumed(self, name: str) -> bool:
        """Whether a commit said that it consumed ``name``."""
        return not self.unseen([name])

    def unseen(self, names: Iterable[str]) -> set[str]:
        """Return those of ``names`` that no commit consumed."""
        table = self._open()
        return {name for name in names if table is None or table.transaction_version(name) is None}

    def mark(self, name: str, version: int | None = None) -> int | None:
        """Return the number last remembered under ``name``, or None."""
        table = self._open(version)
        return None if table is None else table.transaction_version(f"mark:{name}")

    def note(self, name: str) -> str | None:
        """Return the text last remembered under ``name``, or None."""
        table = self._open()
        commits = [] if table is None else table.history()
        return next((str(commit[name]) for commit in commits if name in commit), None)

    def discard(self, parts: Iterable[Part]) -> None:
        """Remove those of ``parts`` that no commit made visible."""
        visible = self.file_rows()
        system, folder = fsspec.url_to_fs(self.uri)
        for part in parts:
            if posixpath.join(self.uri, part.path) not in visible:
                system.rm(posixpath.join(folder, part.path))

    def remove_orphans(self) -> dict[str, int]:
        """Remove files that no version refers to: what a killed or refused night left. Nobody may be writing any.

        Returns:
            Path inside the table's folder of each file removed to its size, bytes.
        """
        table = self._open()
        if table is None:
            return {}
        system, folder = fsspec.url_to_fs(self.uri)
        every_version = list(range(table.version() + 1))
        orphans = table.vacuum(0, enforce_retention_duration=False, full=True, keep_versions=every_version)
        removed = {path: int(system.size(posixpath.join(folder, path))) for path in orphans}
        for path in orphans:
            system.rm(posixpath.join(folder, path))
        return removed

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
