"""Write rows that keep their contract; count what was written."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from datetime import date

import fsspec
import polars as pl
import pyarrow.parquet as pq

from data_contracts.check import check
from data_contracts.contract import ContractViolationError, Limits
from data_contracts.table import Part, Table


def write_checked(table: Table, rows: pl.DataFrame, name: str, through: date, day_zone: str) -> list[Part]:
    """Write ``rows`` as files that nobody sees before their commit.

    Args:
        table: Where to.
        rows: To the table's contract.
        name: Of the files, without ending.
        through: Last day of the night's newest window.
        day_zone: Zone whose day that is.

    Raises:
        SchemaMismatchError: Columns or types are not the contract's.
        ContractViolationError: Rows break rules; each rule is named.
    """
    if rows.is_empty():
        return []
    contract = table.contract
    kept = contract.conform(rows.to_arrow())
    rules = contract.row_rules(Limits(first_day=date.min, earliest=date.min, latest=through, day_zone=day_zone))
    broken = [rule for rule in check(contract.checked(kept), rules).counts if rule.unexpected]
    if broken:
        listed = "\n  - ".join(f"{rule.rule}: {rule.unexpected:,} rows, e.g. {rule.examples[0]}" for rule in broken)
        raise ContractViolationError(
            f"{contract.name!r} file {name!r}, {rows.height:,} rows, {len(broken)} rules broken:\n  - {listed}\n"
            "The table was not published. What it is made of kept its contract, so this is a fault of preprocess: "
            "report it."
        )
    return table.write(kept, name)


def count_values(table: Table, parts: Iterable[Part], column: str) -> int:
    """Count the values of a column, those in its lists if it has lists, in files that nobody sees yet.

    What their footers tell is what lies on the disk, whoever wrote it.
    """
    values = 0
    for part in parts:
        with fsspec.open(posixpath.join(table.uri, part.path), "rb") as file:
            footer = pq.read_metadata(file)
        groups = map(footer.row_group, range(footer.num_row_groups))
        chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
        values += sum(chunk.num_values for chunk in chunks if chunk.path_in_schema.partition(".")[0] == column)
    return values
