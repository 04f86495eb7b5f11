"""A contracted Delta table: parts are written by many, and become visible together in one commit.

A commit names the input it consumed as application transactions (``events@7``); one of rows from outside has a note of
its source files (`data_contracts.source_files`). The same input is consumed once: that is all it takes to run a night
twice and change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from data_contracts.commit_point import commit_point
from data_contracts.contract import ContractError, Step
from data_contracts.disk import TableOnDisk
from data_contracts.part import Part, write_parts

__all__ = ["Part", "Table"]

CONTRACT = "mark:contract"
"""Transaction whose number is the version of the contract under which a table is written."""
EVERY_VERSION_STAYS = {"delta.enableExpiredLogCleanup": "false"}
"""Otherwise each hundredth commit removes the log of versions older than 30 days, and nobody can read them any more."""


class Table(TableOnDisk):
    """One table of a night, in a folder of its own. Rows are added and never changed."""

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
        consumed: Sequence[str] = (),
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
            ContractError: The table is of another version of its contract, or has other columns.
            ValueError: Some of the input was consumed before and some was not: two nights were mixed.
            deltalake.exceptions.CommitFailedError: Another commit came first.
        """
        table = self._open()
        if table is not None and self._steps_left(table):
            raise ContractError(f"table {self.contract.name!r} is as an older code left it. Start the night again.")
        done = [name for name in consumed if table is not None and table.transaction_version(name) is not None]
        if table is not None and consumed and len(done) == len(consumed):
            return table.version()
        if done:
            raise ValueError(
                f"table {self.contract.name!r}: {len(done):,} of {len(consumed):,} inputs were consumed before, "
                f"e.g. {done[0]!r}. Start the night again: it takes only what is new."
            )
        transactions = [Transaction(name, 0) for name in consumed] + _marked(marks)
        transactions.append(Transaction(CONTRACT, self.contract.version))
        added = [part.added() for part in parts]
        with commit_point(self.contract.name):
            return self._append(table, added, CommitProperties(notes, app_transactions=transactions))

    def replace(
        self,
        files: Iterable[str],
        parts: Iterable[Part],
        *,
        marks: dict[str, int] | None = None,
        notes: dict[str, str] | None = None,
        data_change: bool = False,
    ) -> int:
        """Put ``parts`` in the place of files, in one commit, and return the table's version.

        Older versions are read as before: the files replaced stay where they are.

        Args:
            files: URIs of files of the newest version; none of a table that is made of another one.
            parts: What `write` returned, from any process.
            marks: See `commit`.
            notes: See `commit`.
            data_change: Whether the table says something else afterwards; False where both say the same.

        Raises:
            deltalake.exceptions.CommitFailedError: Another commit came first.
        """
        table = self._open()
        transactions = [*_marked(marks), Transaction(CONTRACT, self.contract.version)]
        properties = CommitProperties(notes, app_transactions=transactions)
        now = int(time.time() * 1000)
        added = [replace(part.added(), data_change=data_change) for part in parts]
        gone = (file.removeprefix(f"{self.uri}/") for file in files)
        removed = [RemoveAction(path, data_change=data_change, deletion_timestamp=now) for path in gone]
        with commit_point(f"{self.contract.name} rewritten"):
            if table is None:
                return self._append(None, added, properties)
            return self._commit(table, [*added, *removed], properties)

    def take_steps(self) -> None:
        """Bring the table from the version of its contract under which it was written to today's, in one commit.

        Its files stay as they are. Nothing is done to one that is of today's version, or was never written.

        Raises:
            ContractError: It is of a version that is not known here, or has columns that no step explains.
        """
        table = self._open()
        if table is None or not self._steps_left(table):
            return
        schema = Schema.from_arrow(self.contract.schema)
        partition_by = [self.contract.partition_by] if self.contract.partition_by else []
        properties = CommitProperties(app_transactions=[Transaction(CONTRACT, self.contract.version)])
        no_file: list[tuple[str, str, list[str]]] = [(schema.fields[0].name, "in", [])]  # only the schema is replaced
        table.create_write_transaction([], "overwrite", schema, partition_by, no_file, commit_properties=properties)

    def steps_left(self) -> tuple[Step, ...]:
        """Return the steps that `take_steps` would take; raises as it does."""
        table = self._open()
        return () if table is None else self._steps_left(table)

    def _steps_left(self, table: DeltaTable) -> tuple[Step, ...]:
        """Return the steps from a table's version of the contract to today's.

        Raises:
            ContractError: See `take_steps`.
        """
        written = table.transaction_version(CONTRACT) or 1  # before versions were remembered, all were the first
        name, known = f"table {self.contract.name!r} at {self.uri}", self.contract.version
        if written > known:
            raise ContractError(
                f"{name}: written under version {written} of its contract, and this code knows {known}. Run the newer "
                "code. Nothing was written."
            )
        steps = self.contract.steps[written - 1 :]
        taken = reduce(lambda schema, step: step.taken(schema), steps, pa.schema(table.schema()))
        seen, wanted = (_kinds(pa.schema(Schema.from_arrow(each))) for each in (taken, self.contract.schema))
        if seen != wanted:
            columns = sorted(each for each in seen.keys() | wanted.keys() if seen.get(each) != wanted.get(each))
            listed = [f"{each}: {seen.get(each, 'missing')}, wanted {wanted.get(each, 'none')}" for each in columns]
            raise ContractError(
                f"{name}: its columns are not those of version {written} of its contract and the {len(steps)} steps "
                f"from there to version {known}:\n  - " + "\n  - ".join(listed) + "\nA change of columns is a step in "
                "the contract (data_contracts/contract.py). Nothing was written."
            )
        return steps

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
        return self._commit(table, list(added), properties)

    def _commit(self, table: DeltaTable, actions: list[AddAction | RemoveAction], properties: CommitProperties) -> int:
        schema = Schema.from_arrow(self.contract.schema)
        partition_by = [self.contract.partition_by] if self.contract.partition_by else []
        table.create_write_transaction(actions, "append", schema, partition_by, commit_properties=properties)
        table.update_incremental()
        return table.version()


def _marked(marks: dict[str, int] | None) -> list[Transaction]:
    return [Transaction(f"mark:{name}", number) for name, number in (marks or {}).items()]


def _kinds(schema: pa.Schema) -> dict[str, str]:
    """Return what is compared of each column, in words: its type, and whether it may be null."""
    return {each.name: f"{each.type}{'' if each.nullable else ' not null'}" for each in schema}
