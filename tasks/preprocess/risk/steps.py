"""What a Dask worker does for a night: read transactions and tables, write files that nobody sees yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from data_contracts.reading import scan
from data_contracts.risk.measures import measured
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past, sums_of_pairs, sums_of_parties
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.table import Part
from tasks.preprocess.labels import IS_DISPUTED, Due
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.risk.rows import told, transactions
from tasks.preprocess.risk.tables import Tables
from tasks.preprocess.taken import Taken
from tasks.preprocess.write import write_checked

SIDES = {"from": "from_party", "to": "to_party"}
SUMMED_UP = (*SIDES.values(), "amount", "label", "outcome", "is_new", "day", "known_day")
"""Columns of which sums are made."""


@dataclass(frozen=True)
class Order:
    """What is the same for every step of a night.

    Attributes:
        folder: URI under which every table has a folder of its own.
        due: Files with the night's transactions.
        plan: Their windows.
        name: Prefix of the files' names, this night's own.
        day_zone: Zone whose days are counted.
        waits: Whether transactions without a label wait for one.
    """

    folder: str
    due: Sequence[Due]
    plan: Plan
    name: str
    day_zone: str
    waits: bool


def count_labels(due: Sequence[Due], day_zone: str) -> pl.DataFrame:
    """Return ``day`` and ``labelled``, how many transactions have a label since that day."""
    labelled = pl.col("label").count().cast(pl.Int64)
    days = pl.concat(
        rows.group_by(day="known_day").agg(labelled=labelled).collect(engine="streaming")
        for rows in told(due, day_zone, waits=False)
    )
    return days.group_by("day").agg(pl.col("labelled").sum())


def count_lengths(files: Sequence[str]) -> dict[int, int]:
    """Count the transactions whose lists of numbers are of each length; null is no list."""
    lengths = scan(files, TRANSACTIONS).select(length=pl.col("numbers").list.len()).drop_nulls()
    return dict(lengths.group_by("length").len().sort("length").collect().rows())


def write_parties(order: Order) -> list[Part]:
    """Give the next numbers to parties that have none yet, by (first window, bytes): the same whenever it is done."""
    table = Tables(order.folder)
    files = [due.file for due in order.due if due.is_new]
    known = table.numbers()
    rows = transactions(files, order.day_zone).with_columns(first_window=order.plan.key("day"))
    met = pl.concat(rows.select("first_window", party=column) for column in SIDES.values())
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


def write_sums(order: Order, missing: Collection[str]) -> dict[str, list[Part]]:
    """Write what the night's transactions and labels add to the past.

    Args:
        order: With all files of the night.
        missing: Names of the tables to write, `pairs` and `party_days`. Files of the other are left as they are.

    Returns:
        By the table's name files that nobody sees before its commit.
    """
    tables, last_day = Tables(order.folder), order.plan.window.last_day
    adds = pl.col("is_new") | pl.col("known_day").is_not_null()
    rows = pl.concat(
        each.filter(adds).select(SUMMED_UP).collect() for each in told(order.due, order.day_zone, waits=order.waits)
    )
    pairs = sums_of_pairs(_numbered(rows, order.plan, tables.numbers()))
    return {
        table.contract.name: write_checked(table, sums, order.name, last_day, order.day_zone)
        for table, sums in ((tables.pairs, pairs), (tables.party_days, sums_of_parties(pairs)))
        if table.contract.name in missing
    }


def write_examples(order: Order, through: str) -> Taken:
    """Write what was known of each of the transactions the day before; all sums of the night are committed.

    Args:
        order: With files that one night took.
        through: Key of that night's newest window. What came with a later one, nobody knew.
    """
    tables, plan = Tables(order.folder), order.plan
    taken = pl.concat(each.collect() for each in told(order.due, order.day_zone, waits=order.waits))
    rows = _numbered(taken, plan, tables.numbers())
    own = rows.filter(pl.col("known_day").is_not_null()).with_columns(window="known_window")
    own = own.sort("window", "happened_at", "from_number", "to_number", "amount", "outcome", "label")
    numbers = pl.concat([own["from_number"], own["to_number"]]).unique()
    party_days, pairs = tables.sums(numbers.append(pl.Series([EVERYBODY], dtype=pl.Int32)), through)
    features = measured(own, Past(party_days), Pairs(pairs))
    examples = pl.concat([own, features], how="horizontal")
    read = sum(due.rows for due in order.due)
    return Taken(
        parts=write_checked(tables.examples, examples, order.name, plan.window.last_day, order.day_zone),
        read=read,
        waiting=rows.height - own.height,
        done=read - rows.height,
        disputed=int(own[IS_DISPUTED].sum()),
    )


def _numbered(rows: pl.DataFrame, plan: Plan, numbers: pl.DataFrame) -> pl.DataFrame:
    """Return transactions with their parties' numbers, and the windows in which they happened and were known."""
    for side, column in SIDES.items():
        named = numbers.rename({"party": column, "number": f"{side}_number"})
        rows = rows.join(named, on=column, how="left", maintain_order="left").drop(column)
    return rows.with_columns(window=plan.key("day"), known_window=plan.key("known_day"))
