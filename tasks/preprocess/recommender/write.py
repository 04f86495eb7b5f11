"""Write rows that keep their contract. On Dask workers, where Great Expectations is loaded."""

from __future__ import annotations

from datetime import date

import polars as pl

from data_contracts.check import check
from data_contracts.contract import ContractViolationError, Limits
from data_contracts.table import Part, Table


def write_checked(table: Table, rows: pl.DataFrame, name: str, through: date) -> list[Part]:
    """Write ``rows`` as files that nobody sees before their commit.

    Args:
        table: Where to.
        rows: To the table's contract.
        name: Of the files, without ending.
        through: Last day of the night's newest window.

    Raises:
        SchemaMismatchError: Columns or types are not the contract's.
        ContractViolationError: Rows break rules; each rule is named.
    """
    if rows.is_empty():
        return []
    contract = table.contract
    kept = contract.conform(rows.to_arrow())
    rules = contract.row_rules(Limits(first_day=date.min, earliest=date.min, through=through))
    broken = [rule for rule in check(contract.checked(kept), rules).counts if not rule.success]
    if broken:
        listed = "\n  - ".join(f"{rule.rule}: {rule.unexpected:,} rows, e.g. {rule.examples[0]}" for rule in broken)
        raise ContractViolationError(
            f"{contract.name!r} file {name!r}, {rows.height:,} rows, {len(broken)} rules broken:\n  - {listed}\n"
            "The table was not published. The events kept their contract, so this is a fault of preprocess: report it."
        )
    return table.write(kept, name)
