"""Nights on made-up transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from data_contracts.days import days_of
from data_contracts.night import HeldOut, Night, Validated, Window, Workspace
from data_contracts.risk.labels import LABELS
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.staging import LABELS as SEEN_LABELS
from data_contracts.table import Table
from examples.risk import FIRST_DAY, transactions
from tasks.preprocess.risk.config import FeatureConfig
from tasks.preprocess.risk.night import build_night
from tasks.preprocess.risk.tables import Tables

A_DAY = 60
HELD_OUT = HeldOut(min_targets=90, min_units=10)
SUMS = ("pairs", "party_days")
COMMITS = ("parties", *SUMS, "examples")


def day(number: int) -> date:
    """Return the day of that number, from 0."""
    return FIRST_DAY + timedelta(days=number)


def workspace(folder: Path, day_zone: str = "UTC") -> Workspace:
    """Return a workspace of its own."""
    store = f"sqlite:///{folder}/mlflow.db"
    return Workspace(name="deals", use_case="risk", home=str(folder), tracking_uri=store, day_zone=day_zone)


def deals(numbers: Sequence[int], count: int = A_DAY, seed: int = 0) -> pl.DataFrame:
    """Make up the transactions of some days: each day is always the same."""
    return pl.concat(transactions(day(number), count, seed) for number in numbers)


def publish(
    home: Workspace, rows: pl.DataFrame, numbers: Sequence[int], labels: pl.DataFrame | None = None
) -> Validated:
    """Commit rows to table `transactions`, as validate does, with the window of some days; labels before, if any."""
    table, marks = Table(home.tables, TRANSACTIONS), {}
    if labels is not None:
        said = labels.with_columns(day=days_of(pl.col("labelled_at"), home.day_zone))
        later = Table(home.tables, LABELS)
        parts = later.write(said.to_arrow(), f"night-{later.next_version():06}-rows")
        marks[SEEN_LABELS] = later.commit(parts, [f"said:{numbers[-1]}"])
    whole = rows.with_columns(day=days_of(pl.col("happened_at"), home.day_zone))
    empty = pl.DataFrame(TRANSACTIONS.schema.empty_table())
    whole = pl.concat([empty, whole], how="diagonal")
    window = Window(first_day=day(numbers[0]), last_day=day(numbers[-1]))
    parts = table.write(whole.to_arrow(), f"night-{table.next_version():06}-rows")
    rows_before = sum(table.file_rows().values())
    marks |= {"window": window.last_day.toordinal(), "rows": rows_before + rows.height}
    version = table.commit(parts, [f"file:{numbers[-1]}"], marks=marks)
    return Validated(truth=version, accepted=rows.height, window=window)


def publish_night(home: Workspace, number: int) -> Validated:
    """Publish the first night's transactions, or the second's: one more day, and some that came late."""
    if number:
        late = deals([4], count=5, seed=9)
        return publish(home, pl.concat([deals([6]), late]), [6])
    return publish(home, deals(range(6)), range(6))


def build(
    home: Workspace,
    validated: Validated,
    cluster: str,
    held_out: HeldOut = HELD_OUT,
    features: FeatureConfig = FeatureConfig(),  # noqa: B008, it is frozen
) -> Night:
    """Build a night as most tests do."""
    return build_night(home, validated, held_out, features, "nightly", cluster)


def rows(home: Workspace, night: Night) -> dict[str, pl.DataFrame]:
    """Return the rows of every table, in one order however many files hold them."""
    tables = Tables(home.tables)
    read = {name: pl.DataFrame(getattr(tables, name).read(night.tables[name])) for name in COMMITS}
    return {name: table.sort(pl.all()) for name, table in read.items()}
