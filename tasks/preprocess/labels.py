"""Rows and the labels that come later, put together: whichever comes first waits for the other.

A row counts from the moment on at which both are known, and so its example belongs to the window with that moment's
day: it is judged by, or learned from, as if it had happened then. Labels are waited for so many days before and after
their row's day, so a file of the truth, which is of one day, meets labels of a bounded number of days.

Of several labels of one row its own counts, or else the first in time. A row that was labelled once stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl
from pydantic import BaseModel, Field, NonNegativeInt

from data_contracts.promises import Labels
from data_contracts.reading import ReadableTable, scan
from data_contracts.staging import LABELS
from tasks.preprocess.truth import came_with, new_files, window_end

KNOWN_AT, LABELLED_AT, IS_DISPUTED = "known_at", "labelled_at", "is_disputed"
"""Columns: when a row and its label were both there, when the label was, and whether another says something else."""
WHICH_COUNTS = "a row's own counts, or else the first in time"
"""Of labels that differ, for people."""
_IS_OWN, _LATER = "is_own", " of the label"


class LabelsConfig(BaseModel, frozen=True, extra="forbid"):
    """Settings of a use case whose labels may come later."""

    label_days: NonNegativeInt = Field(
        30,
        description="Days before or after its row's day on which a label may come; one that comes later is not used.",
    )


class Due(NamedTuple):
    """A file of the truth that has, or may have, rows for a night.

    Attributes:
        file: Its URI.
        rows: In it.
        is_new: Whether no night took it before.
        labels: Files of labels that its rows may have by the end of the night's window.
        before: Those of them that a night before has seen: rows that these label are done.
    """

    file: str
    rows: int
    is_new: bool
    labels: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


class Known(NamedTuple):
    """What labels say of the rows of one file.

    Attributes:
        labels: The key, what the first label says, `LABELLED_AT`, and `IS_DISPUTED`: whether others say otherwise.
        done: The keys that a night before has seen labelled.
    """

    labels: pl.DataFrame
    done: pl.DataFrame


def due_files(truth: ReadableTable, labels: ReadableTable, done: int | None, version: int, days: int) -> list[Due]:
    """Return the files with rows for a night, in order: new ones, and those that labels came for since the last night.

    Args:
        truth: The table of the rows as they came.
        labels: That of their labels; it may never have been written.
        done: Version of the truth that the newest finished night took; None before the first.
        version: Of the truth that the night's window was opened with.
        days: See `LabelsConfig.label_days`.

    Raises:
        OutOfOrderError: See `new_files`.
    """
    new = new_files(truth, done, version)
    now = labels_by(truth, labels, version)
    before = told_before(truth, now, done)
    came = {file: day for file, day in now.items() if file not in before}
    end = window_end(truth, done)
    found: list[Due] = []
    for file, rows in sorted(truth.file_rows(version).items()):
        day = date.fromisoformat(truth.partition_of(file))
        if file in new:
            found.append(Due(file, rows, is_new=True, labels=_near(now, day, days)))
        elif day <= end and _near(came, day, days):
            found.append(Due(file, rows, is_new=False, labels=_near(now, day, days), before=_near(before, day, days)))
    return found


def labels_by(truth: ReadableTable, labels: ReadableTable, version: int) -> Mapping[str, date]:
    """Return the files of labels, and their days, up to the end of the window that ``version`` was opened with."""
    seen, end = truth.mark(LABELS, version), window_end(truth, version)
    files = () if seen is None else labels.file_rows(seen)
    days = {file: date.fromisoformat(labels.partition_of(file)) for file in files}
    return {file: day for file, day in days.items() if day <= end}


def told_before(truth: ReadableTable, labels: Mapping[str, date], done: int | None) -> Mapping[str, date]:
    """Return those files of labels, and their days, that the newest finished night knew, whoever wrote them anew."""
    seen, end = (None, date.min) if done is None else (truth.mark(LABELS, done), window_end(truth, done))
    return {file: day for file, day in labels.items() if seen is not None and came_with(file) <= seen and day <= end}


def _near(files: Mapping[str, date], day: date, days: int) -> tuple[str, ...]:
    reach = timedelta(days=days)
    return tuple(sorted(file for file, own in files.items() if abs(own - day) <= reach))


def known(due: Due, promised: Labels) -> Known:
    """Read what labels say of the rows of a file."""
    contract, key = promised.contract, list(promised.key)
    says, time = list(promised.says), contract.time_column
    first = (
        scan(due.labels, contract).sort(time, *says).group_by(key, maintain_order=True)
        if due.labels
        else pl.LazyFrame(schema=pl.DataFrame(contract.schema.empty_table()).schema).group_by(key)
    ).agg(
        pl.col(says).first(),
        pl.col(time).first().alias(LABELLED_AT),
        (pl.struct(says).n_unique() > 1).alias(IS_DISPUTED),
    )
    done = scan(due.before, contract).select(key).unique() if due.before else first.select(key).clear()
    return Known(*pl.collect_all([first, done]))


def labelled(rows: pl.LazyFrame, found: Known, due: Due, promised: Labels, time: str) -> pl.LazyFrame:
    """Return the rows that no night has done, in their order, with their labels and `KNOWN_AT`.

    A row may have a label of its own, in columns of the same names, which comes before any other: such a row is done
    by the night that takes its file. It is disputed where another label says something else.

    Args:
        rows: Some of the file's, with the key's columns.
        found: See `known`.
        due: The file.
        promised: Says by what labels find rows.
        time: Column that says when a row happened.

    Returns:
        The rows, and `IS_DISPUTED`; labels and `KNOWN_AT` are null where a label is still to come.
    """
    key, says, columns = list(promised.key), promised.says, rows.collect_schema().names()
    own = [name for name in says if name in columns]
    fresh = rows.with_columns(is_labelled(promised, columns).alias(_IS_OWN)).filter(
        pl.lit(due.is_new) | ~pl.col(_IS_OWN)
    )
    later = found.labels.lazy().rename({name: f"{name}{_LATER}" for name in says})
    joined = fresh.join(found.done.lazy(), on=key, how="anti", maintain_order="left").join(
        later, on=key, how="left", maintain_order="left"
    )
    told = {name: pl.col(f"{name}{_LATER}") for name in says}
    contradicted = [pl.col(name) != told[name] for name in own]
    return joined.with_columns(
        *(pl.coalesce(name, said) if name in own else said.alias(name) for name, said in told.items()),
        pl.when(_IS_OWN)
        .then(pl.col(time))
        .when(pl.col(LABELLED_AT).is_not_null())
        .then(pl.max_horizontal(time, LABELLED_AT))
        .alias(KNOWN_AT),
        pl.any_horizontal(IS_DISPUTED, *contradicted).fill_null(value=False).alias(IS_DISPUTED),
    ).select(*columns, *(name for name in says if name not in own), KNOWN_AT, IS_DISPUTED)


def is_labelled(promised: Labels, columns: Sequence[str]) -> pl.Expr:
    """Say whether a row with these columns has a label of its own."""
    own = [name for name in promised.says if name in columns]
    return pl.all_horizontal(pl.col(own).is_not_null()) if own else pl.lit(value=False)
