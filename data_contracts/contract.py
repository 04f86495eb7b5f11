"""What a contract is: a schema with units, rules, a version, one writer and its readers.

Errors of this layer::

    ContractError
    ├── SchemaMismatchError      columns or types differ from the contract
    └── ContractViolationError   rules were broken; nothing was published
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from data_contracts.rules import Rule


class ContractError(Exception):
    """A table is not what its contract promises."""


class SchemaMismatchError(ContractError):
    """Columns or types differ from the contract; the message lists every difference."""


class ContractViolationError(ContractError):
    """Rows or the table broke rules beyond what is allowed; nothing was published."""


LATE = "timestamp older than late_days"
"""Name of the rule for rows that come too late. A row that breaks it first is sound but for that."""


@dataclass(frozen=True)
class Limits:
    """What the rules of one night are measured against.

    Attributes:
        first_day: First day that a row can be of.
        earliest: First day accepted tonight: the day after the newest window, less the lateness allowed.
        latest: Last day on which a row can be: today where it comes from outside, else the window's last day.
        allowed: Column of text to the values that it may have, a rule of its own for each (`data_contracts.staging`).
        max_id_bytes: Longest id accepted, in bytes of UTF-8.
        day_zone: Zone whose days these are, see `data_contracts.days`.
        labels_come: Whether labels come from a source of their own, and must find their row.
    """

    first_day: date
    earliest: date
    latest: date
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_id_bytes: int = 256
    day_zone: str = "UTC"
    labels_come: bool = False


Rules = Callable[[Limits], "Sequence[Rule]"]


def no_rules(limits: Limits) -> Sequence[Rule]:  # noqa: ARG001
    """Promise the schema and nothing more."""
    return ()


@dataclass(frozen=True)
class Step:
    """From one version of a contract to the next: a table's files stay as they are, and are read as the next has them.

    Attributes:
        added: Columns that the next version has besides; rows from before are null there.
        widened: Columns whose type holds more in the next version, with that type: int64 after int32, say.

    Raises:
        ValueError: A column added must not be null.
    """

    added: tuple[pa.Field, ...] = ()
    widened: Mapping[str, pa.DataType] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        strict = [each.name for each in self.added if not each.nullable]
        if strict:
            raise ValueError(f"columns {strict} are added and must not be null, but rows from before are null there.")

    def taken(self, schema: pa.Schema) -> pa.Schema:
        """Return the next version's schema."""
        kept = (each.with_type(self.widened.get(each.name, each.type)) for each in schema)
        return pa.schema([*kept, *self.added])


@dataclass(frozen=True)
class DataContract:
    """What is promised about one table.

    Attributes:
        name: Of the table.
        schema: Columns in order, with types and nullability. A field's metadata says its unit.
        written_by: The one room that writes it.
        read_by: The rooms that read it.
        partition_by: Column whose values part the table's files, if any.
        rows_per_row_group: Rows of a file that are read together, at most; fewer where some of them are drawn.
        time_column: When a row happened, UTC, if rows say so; ``partition_by`` is then its day in the
            workspace's zone, derived from it.
        checked: Turns a table into the view that the rules look at; for values that a rule cannot see as they
            are (lists, NaN beside null). Row numbers stay the same.
        row_rules: See `data_contracts.rules`; a row that breaks one goes to quarantine.
        steps: From version 1 to 2, from 2 to 3, and so on, whenever a reader would notice the difference.
        keeps_itself_small: Whether its writer puts few files in the place of many; else upkeep does.
    """

    name: str
    schema: pa.Schema
    written_by: str
    read_by: tuple[str, ...]
    partition_by: str | None = None
    rows_per_row_group: int = 128 * 1024
    time_column: str = ""
    checked: Callable[[pa.Table], pa.Table] = field(default=lambda table: table)
    row_rules: Rules = no_rules
    steps: tuple[Step, ...] = ()
    keeps_itself_small: bool = False

    @property
    def version(self) -> int:
        """Of the promise: a table remembers under which it was written."""
        return 1 + len(self.steps)

    def filled(self, table: pa.Table) -> pa.Table:
        """Return ``table`` with the contract's columns in order; those that were left out are null.

        Raises:
            ValueError: A column is unknown.
        """
        if unknown := [name for name in table.column_names if name not in self.schema.names]:
            raise ValueError(f"columns {unknown}: unknown, wanted some of {self.schema.names}.")
        for wanted in self.schema:
            if wanted.name not in table.column_names:
                table = table.append_column(wanted, pa.nulls(table.num_rows, wanted.type))
        return table.select(self.schema.names)

    def conform(self, table: pa.Table) -> pa.Table:
        """Return ``table`` with the contract's columns, order and exact types.

        Raises:
            SchemaMismatchError: A column is missing, cannot be cast without loss, or holds a null it must not.
        """
        problems: list[str] = []
        columns: list[pa.ChunkedArray] = []
        for wanted in self.schema:
            if wanted.name not in table.column_names:
                problems.append(f"column {wanted.name!r}: missing, wanted {wanted.type}")
                continue
            column = table[wanted.name]
            try:
                columns.append(column.cast(wanted.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                problems.append(f"column {wanted.name!r}: {column.type} is no {wanted.type}: {error}")
            if not wanted.nullable and column.null_count:
                problems.append(f"column {wanted.name!r}: {column.null_count:,} nulls, wanted none")
        if problems:
            raise SchemaMismatchError(f"{self.name!r}, {table.num_rows:,} rows:\n  - " + "\n  - ".join(problems))
        return pa.table(columns, schema=self.schema)
