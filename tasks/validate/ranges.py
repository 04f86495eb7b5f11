"""Staged rows of some buckets: repeats dropped, the others checked, the sound ones written. One Dask task a range."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from operator import add
from typing import NamedTuple

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.buckets import Buckets, among
from data_contracts.check import check
from data_contracts.contract import DataContract, Limits
from data_contracts.days import days_of
from data_contracts.forgotten import Forgotten
from data_contracts.night import UseCaseName, Value
from data_contracts.promises import Inflow
from data_contracts.quarantine import QUARANTINE
from data_contracts.staged import read_rows
from data_contracts.staging import bytes_as_text, incoming, staging
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.validate.aggregates import Aggregates
from tasks.validate.repeats import first_of_equal, known
from tasks.validate.report import NOTHING, Report
from tasks.validate.table_rules import TableRules


class Order(NamedTuple):
    """What is the same for every range of a night.

    Attributes:
        folder: URI of the staged rows.
        parts: Names of the staged files, in the order of their source files, see `read_rows`.
        cells: Of each of them.
        name: How the names of the files to write begin.
        tables: URI of the tables' folder.
        use_case: Whose rows are checked.
        of: Which of them.
        limits: What the rules are measured against.
        there: Day to the table's files of that day, for the days of the staged rows.
        table_rules: What all rows must be together: what they ask of is kept of those accepted.
        forgotten: People whose rows are left out.
    """

    folder: str
    parts: Mapping[str, int]
    cells: int
    name: str
    tables: str
    use_case: UseCaseName
    of: Inflow
    limits: Limits
    there: Mapping[date, Sequence[str]]
    table_rules: TableRules = TableRules()
    forgotten: Forgotten = Forgotten()


class Share(Value):
    """What one task works on: the rows of some buckets, or a part of them by a hash of the whole row.

    Attributes:
        buckets: Of the rows.
        pieces: That the rows are cut into, one after the other, so that each fits into memory.
    """

    buckets: Buckets
    pieces: int = 1


class Ranged(NamedTuple):
    """What became of the rows of a share.

    Attributes:
        report: On all but those that broke a rule.
        broken: URIs of files of table `quarantine`'s columns, with the rows that did, and how many each has.
        again: Source files that have rows of the table: they, or a part of them, came before.
    """

    report: Report
    broken: dict[str, int]
    again: frozenset[str]


def validate_share(share: Share, order: Order) -> Ranged:
    """Check the rows of a share; write those that keep their contract, and stage those that break it.

    Raises:
        ContractError: A rule could not be computed.
    """
    pieces = [_validate_piece(share, number, order) for number in range(share.pieces)]
    return Ranged(
        report=reduce(add, (piece.report for piece in pieces), NOTHING),
        broken={uri: rows for piece in pieces for uri, rows in piece.broken.items()},
        again=frozenset().union(*(piece.again for piece in pieces)),
    )


def _validate_piece(share: Share, number: int, order: Order) -> Ranged:
    contract = promises(order.use_case).incoming[order.of].kept
    name = f"{order.name}-{share.buckets.name}{f'.{number}' if number else ''}"
    blocks = read_rows(order.folder, order.parts, order.cells, share.buckets)
    if share.pieces > 1:
        row_hash = pl.struct(incoming(contract).names).hash()
        blocks = (rows.filter(row_hash % share.pieces == number) for rows in blocks)
    rows, read = first_of_equal(blocks, contract)
    asked = rows.filter(~_is_of_the_forgotten(rows, order))
    files = _files_of(asked, order, contract, share.buckets)
    is_known = known(asked, files, contract)
    new = asked.filter(~is_known)
    again = frozenset(asked.filter(is_known)["source_file"].unique())
    forgotten = rows.height - asked.height
    repeats = Report(repeats=read - forgotten - new.height, known=int(is_known.sum()), forgotten=forgotten)
    report, broken = _checked(new, name, order, contract)
    return Ranged(repeats + report, broken, again)


def _is_of_the_forgotten(rows: pl.DataFrame, order: Order) -> pl.Series:
    """Return which rows are about people who are forgotten; of those that could not be read, which name one."""
    named = order.forgotten.are_named_in(rows["original"])
    subject = promises(order.use_case).subject
    return named | order.forgotten.are(rows[subject]) if subject in rows.columns else named


def _files_of(rows: pl.DataFrame, order: Order, contract: DataContract, buckets: Buckets) -> list[str]:
    """Return the files of the table that may hold some of the rows."""
    if not order.there:
        return []
    day = days_of(pl.col(contract.time_column), order.limits.day_zone)
    days = rows.select(day.unique()).to_series().drop_nulls()
    return [file for each in days for file in among(order.there.get(each, ()), buckets)]


def _checked(rows: pl.DataFrame, name: str, order: Order, contract: DataContract) -> tuple[Report, dict[str, int]]:
    """Write sound rows to the table, and the others to staging; of the latter, return the file and its rows."""
    staged = staging(contract)
    rules = staged.row_rules(order.limits)
    table = staged.conform(rows.select(staged.schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()))
    checked = check(staged.checked(table), rules)
    first_broken = pa.array(checked.first_broken)
    good, bad = pc.less(first_broken, 0), pc.greater_equal(first_broken, 0)
    sound = table if pc.all(good).as_py() else table.filter(good)
    accepted = _accepted(sound, contract, order.limits.day_zone)
    parts = Table(order.tables, contract).write(accepted, name)
    rule = pa.array([rule.name for rule in rules], pa.string()).take(first_broken.filter(bad))
    broken = _broken(table.filter(bad), rule, contract, order.limits.latest)
    aggregates = Aggregates.of(accepted, order.table_rules)
    report = Report(counts=checked.counts, accepted=tuple(parts), aggregates=aggregates)
    return report, _staged(broken, posixpath.join(order.folder, "broken", f"{name}.parquet"))


def _accepted(rows: pa.Table, contract: DataContract, day_zone: str) -> pa.Table:
    """Keep the contract's columns and derive its partition, the day."""
    times = pl.DataFrame(rows.select([contract.time_column]))
    day = times.select(days_of(pl.col(contract.time_column), day_zone)).to_series().to_arrow()
    return rows.select(incoming(contract).names).append_column(contract.partition_by, day)


def _broken(rows: pa.Table, rule: pa.Array, contract: DataContract, today: date) -> pl.DataFrame:
    """Keep each row as it came: as JSON, with where it came from and the first rule that it broke."""
    frame = pl.DataFrame(pl.from_arrow(rows.append_column("rule", rule)))
    values = (_as_read(field.name, field.type) for field in incoming(contract))
    as_read = pl.struct(values).struct.json_encode()
    return frame.select(
        pl.coalesce("original", as_read).alias("row"),
        "source_file",
        "source_row",
        pl.coalesce("problem", "rule").alias("rule"),
        pl.lit(today).alias(str(QUARANTINE.partition_by)),
    )


def _as_read(name: str, kind: pa.DataType) -> pl.Expr:
    if pa.types.is_binary(kind):
        return bytes_as_text(pl.col(name)).alias(name)
    return pl.col(name) if pa.types.is_nested(kind) else pl.col(name).cast(pl.String)


def _staged(broken: pl.DataFrame, uri: str) -> dict[str, int]:
    if broken.is_empty():
        return {}
    with fsspec.open(uri, "wb", auto_mkdir=True) as file:
        broken.write_parquet(file)
    return {uri: broken.height}
