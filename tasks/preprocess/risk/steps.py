"""What a Dask worker does for a night: read transactions and tables, write files that nobody sees yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from tasks.preprocess.write import write_checked

SIDES = {"from": "from_party", "to": "to_party"}


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
    waits: bool = False


class Made(NamedTuple):
    """What became of the transactions of some files.

    Attributes:
        parts: Files of `examples` that nobody sees before their commit.
        read: Transactions in the files.
        waiting: Those whose label is to come.
        done: Those that a night before has done.
        disputed: Labelled ones of which another label says something else.
    """

    parts: list[Part]
    read: int
    waiting: int
    done: int
    disputed: int


def count_labels(due: Sequence[Due], day_zone: str) -> pl.DataFrame:
    """Return ``day`` and ``labelled``, how many transactions have a label since that day."""
    rows = told(due, day_zone, waits=False)
    return rows.group_by(day="known_day").agg(labelled=pl.col("label").count().cast(pl.Int64))


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


def write_sums(order: Order) -> dict[str, list[Part]]:
    """Write what the night's transactions and labels add to the past, by the table's name."""
    tables, last_day = Tables(order.folder), order.plan.window.last_day
    pairs = sums_of_pairs(_numbered(order, tables))
    return {
        "pairs": write_checked(tables.pairs, pairs, order.name, last_day, order.day_zone),
        "party_days": write_checked(tables.party_days, sums_of_parties(pairs), order.name, last_day, order.day_zone),
    }


def write_examples(order: Order, through: str) -> Made:
    """Write what was known of each of the transactions the day before; all sums of the night are committed.

    Args:
        order: With files that one night took.
        through: Key of that night's newest window. What came with a later one, nobody knew.
    """
    tables, plan = Tables(order.folder), order.plan
    rows = _numbered(order, tables)
    own = rows.filter(pl.col("known_day").is_not_null()).with_columns(window="known_window")
    own = own.sort("window", "happened_at", "from_number", "to_number", "amount", "outcome", "label")
    numbers = pl.concat([own["from_number"], own["to_number"]]).unique()
    party_days, pairs = tables.sums(numbers.append(pl.Series([EVERYBODY], dtype=pl.Int32)), through)
    features = measured(own, Past(party_days), Pairs(pairs))
    examples = pl.concat([own, features], how="horizontal")
    read = sum(due.rows for due in order.due)
    return Made(
        parts=write_checked(tables.examples, examples, order.name, plan.window.last_day, order.day_zone),
        read=read,
        waiting=rows.height - own.height,
        done=read - rows.height,
        disputed=int(own[IS_DISPUTED].sum()),
    )


def _numbered(order: Order, tables: Tables) -> pl.DataFrame:
    """Read the transactions with their parties' numbers, and the windows in which they happened and were known."""
    numbers, plan = tables.numbers(), order.plan
    rows = told(order.due, order.day_zone, waits=order.waits)
    for side, column in SIDES.items():
        named = numbers.rename({"party": column, "number": f"{side}_number"})
        rows = rows.join(named, on=column, how="left", maintain_order="left").drop(column)
    return rows.with_columns(window=plan.key("day"), known_window=plan.key("known_day"))
