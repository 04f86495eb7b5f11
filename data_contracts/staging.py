"""Staged rows: typed, on their way into a table. Written by ``ingest``, read by ``validate``; gone after the night.

A staged row is a row of the table it is meant for, except that anything may be missing; beside it stands where it
came from and, when a value could not be read, what came and what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import fsspec
import pyarrow as pa

from data_contracts.contract import DataContract, Limits
from data_contracts.rules import Rule, null, one_of

if TYPE_CHECKING:
    import polars as pl

MAX_TEXT_BYTES = 16 * 1024
"""Longest text of a staged row, UTF-8. A longer id could not be read; what is kept of such a row is cut."""

DAY = "day"
"""Mark beside `NIGHT`: the day by which a row of that night was one of the future."""

DAY_ZONE = "day_zone"
"""Note in every commit of rows from outside: the zone whose days they are parted by. Where none says so, it is UTC."""

MAX_BYTES = 8 * 1024 * 1024
"""Longest value of bytes (a picture, a sound) of a staged row. A longer one could not be read."""

_SHOWN_BYTES = 192

UNREADABLE = "unreadable"
"""Name of the rule that a row breaks whose values could not be read; its problem says more."""

COLUMNS = "source_columns"
"""Note in the commit that a night's rows came with: `Staged.columns` as JSON. So a killed night neither loses nor fakes
what it saw."""

LABELS = "labels"
"""Mark of a commit of the truth: the version of the table of labels that its night goes by."""

NIGHT = "night"
"""Mark of a commit of `quarantine`: the version of its table that the same night goes on to make. A night is unfinished
as long as that is to come. Of `files`: the version of its table up to which it knows the source files."""

PROVENANCE = (
    pa.field("source_file", pa.string(), nullable=False),
    pa.field("source_row", pa.int64(), nullable=False, metadata={"unit": "rows from 0, header not counted"}),
    pa.field("problem", pa.string(), metadata={"unit": "for people: what could not be read; null when all could"}),
    pa.field(
        "original", pa.string(), metadata={"unit": "JSON, the row as it came, cut; null where columns say it all"}
    ),
)


def incoming(contract: DataContract) -> pa.Schema:
    """Return the columns that a source gives: the contract's, less the partition's, which is derived."""
    return pa.schema([field for field in contract.schema if field.name != contract.partition_by])


def required(contract: DataContract) -> list[str]:
    """Return those of the columns that a source gives which no row may be without."""
    return [field.name for field in incoming(contract) if not field.nullable]


def texts(contract: DataContract) -> list[str]:
    """Return those of the columns that a source gives which hold text."""
    return [field.name for field in incoming(contract) if pa.types.is_string(field.type)]


def bytes_as_text(column: pl.Expr) -> pl.Expr:
    """Write bytes as text, in base64: whole where that is no longer than a text may be, else how they begin."""
    import polars as pl

    whole, start = (bytes_.bin.encode("base64") for bytes_ in (column, column.bin.head(_SHOWN_BYTES)))
    return pl.when(whole.str.len_bytes() <= MAX_TEXT_BYTES).then(whole).otherwise(start + "…")


def _optional(field: pa.Field) -> pa.Field:
    return pa.field(field.name, field.type, nullable=True, metadata=field.metadata)


def staging(contract: DataContract) -> DataContract:
    """Return what is promised about rows on their way into ``contract``'s table."""
    own = incoming(contract).names

    def checked(table: pa.Table) -> pa.Table:
        view = contract.checked(table.select(own))
        for name in ("problem", *(each for each in texts(contract) if each not in view.column_names)):
            view = view.append_column(name, table[name])
        return view

    def row_rules(limits: Limits) -> Sequence[Rule]:
        readable = null("problem", UNREADABLE)
        known = [one_of(column, values, f"unknown {column}") for column, values in limits.allowed.items()]
        return (readable, *known, *contract.row_rules(limits))

    return DataContract(
        name=f"staged {contract.name}",
        schema=pa.schema([*(_optional(field) for field in incoming(contract)), *PROVENANCE]),
        written_by="ingest",
        read_by=("validate",),
        checked=checked,
        row_rules=row_rules,
    )


def clear(folder: str) -> None:
    """Remove a folder of staging, by URI, if it is there."""
    system, path = fsspec.url_to_fs(folder)
    if system.exists(path):
        system.rm(path, recursive=True)
