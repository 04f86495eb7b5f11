"""What a Dask worker does for a night: read transactions and tables, write files that nobody sees yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from data_contracts.days import days_of
from data_contracts.reading import scan
from data_contracts.risk.measures import measured
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past, sums_of_pairs, sums_of_parties
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.table import Part
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.risk.tables import Tables
from tasks.preprocess.write import write_checked

SIDES = {"from": "from_party", "to": "to_party"}


@dataclass(frozen=True)
class Order:
    """What is the same for every step of a night.

    Attributes:
        folder: URI under which every table has a folder of its own.
        files: Of the night's transactions.
        plan: Their windows.
        name: Prefix of the files' names, this night's own.
        day_zone: Zone whose days are counted.
    """

    folder: str
    files: Sequence[str]
    plan: Plan
    name: str
    day_zone: str


def count_labels(files: Sequence[str], day_zone: str) -> pl.DataFrame:
    """Return ``day`` and ``labelled``, how many transactions of that day have a label."""
    return _transactions(files, day_zone).group_by("day").agg(labelled=pl.col("label").count().cast(pl.Int64)).collect()


def count_lengths(files: Sequence[str]) -> dict[int, int]:
    """Count the transactions whose lists of numbers are of each length; null is no list."""
    lengths = scan(files, TRANSACTIONS).select(length=pl.col("numbers").list.len()).drop_nulls()
    return dict(lengths.group_by("length").len().sort("length").collect().rows())


def write_parties(order: Order) -> list[Part]:
    """Give the next numbers to parties that have none yet, by (first window, bytes): the same whenever it is done."""
    table = Tables(order.folder)
    rows = _transactions(order.files, order.day_zone).with_columns(first_window=order.plan.key())
    met = pl.concat(rows.select("first_window", party=column) for column in SIDES.values())
    known = table.numbers()
    new = (
        met.group_by("party")
        .agg(pl.min("first_window"))
        .collect(engine="streaming")
        .join(known, on="party", how="anti")
        .sort("first_window", "party")
        .with_row_index("number", offset=known.height + 1)
        .select("party", pl.col("number").cast(pl.Int32), "first_window")
    )
    return write_checked(table.parties, new, order.name, order.plan.window.last_day, order.day_zone)


def write_sums(order: Order) -> dict[str, list[Part]]:
    """Write what the night's transactions add to the past, by the table's name."""
    tables, last_day = Tables(order.folder), order.plan.window.last_day
    pairs = sums_of_pairs(_numbered(order, tables))
    return {
        "pairs": write_checked(tables.pairs, pairs, order.name, last_day, order.day_zone),
        "party_days": write_checked(tables.party_days, sums_of_parties(pairs), order.name, last_day, order.day_zone),
    }


def write_examples(order: Order) -> list[Part]:
    """Write what was known of each of the transactions the day before; all sums of the night are committed."""
    tables = Tables(order.folder)
    rows = _numbered(order, tables)
    numbers = pl.concat([rows["from_number"], rows["to_number"]]).unique()
    party_days, pairs = tables.sums(numbers.append(pl.Series([EVERYBODY], dtype=pl.Int32)))
    features = measured(rows, Past(party_days), Pairs(pairs))
    examples = pl.concat([rows.drop("amount", "outcome", "day"), features], how="horizontal")
    return write_checked(tables.examples, examples, order.name, order.plan.window.last_day, order.day_zone)


def _transactions(files: Sequence[str], day_zone: str) -> pl.LazyFrame:
    return scan(files, TRANSACTIONS).with_columns(day=days_of(pl.col("happened_at"), day_zone))


def _numbered(order: Order, tables: Tables) -> pl.DataFrame:
    """Read the transactions with their parties' numbers and their windows, in an order that is always the same."""
    numbers = tables.numbers()
    rows = _transactions(order.files, order.day_zone).with_columns(window=order.plan.key()).collect()
    for side, column in SIDES.items():
        named = numbers.rename({"party": column, "number": f"{side}_number"})
        rows = rows.join(named, on=column, how="left", maintain_order="left").drop(column)
    return rows.sort("window", "happened_at", "from_number", "to_number", "amount", "outcome", "label")
