"""Counts what waits: rows without a label, and labels without a row, of the days that may still have the other.

Only keys are read, and only of days near enough to the newest: what was given up by the night before is not looked at
again. A file that came late is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

import polars as pl

from data_contracts.contract import DataContract
from data_contracts.promises import Labels
from data_contracts.reading import ReadableTable, scan
from data_contracts.waiting import Waiting
from tasks.preprocess.labels import is_labelled, labels_by, told_before
from tasks.preprocess.truth import new_files, window_end

_DAY, _OTHERS_DAY, _ASKED = "its day", "day of the other", "is asked"


class _Side(NamedTuple):
    """Rows, or labels.

    Attributes:
        contract: Of their table.
        days: Each file up to the window's end to its day, counted from 0001-01-01.
        asked: Those of which it is asked what waits.
    """

    contract: DataContract
    days: Mapping[str, int]
    asked: frozenset[str]

    def keys(self, key: tuple[str, ...], other: _Side, label_days: int, is_done: pl.Expr) -> pl.LazyFrame:
        """Read the keys of what is asked for, if it has any, and of what the other side may find there."""
        can_wait = pl.all_horizontal(pl.col(key).is_not_null()) & ~is_done
        wanted = {self.days[file] for file in self.asked}
        reach = {day for own in other.asked for day in _around(other.days[own], label_days)}
        files: defaultdict[tuple[int, bool], list[str]] = defaultdict(list)
        for file, day in self.days.items():
            if day in wanted | reach:
                files[day, file in self.asked].append(file)
        empty = pl.DataFrame(self.contract.schema.empty_table()).lazy()
        return pl.concat(
            frame.select(*key, pl.lit(day, pl.Int64).alias(_DAY), (pl.lit(is_asked) & can_wait).alias(_ASKED))
            for (day, is_asked), frame in [
                ((0, False), empty),
                *((of, scan(sorted(own), self.contract)) for of, own in sorted(files.items())),
            ]
        )


def count_waiting(
    truth: ReadableTable, labels: ReadableTable, promised: Labels, done: int | None, version: int, label_days: int
) -> Waiting:
    """Count what had not found its other half by the end of a night's window.

    Args:
        truth: The table of the rows as they came.
        labels: That of their labels; it may never have been written.
        promised: Says by what labels find rows.
        done: Version of the truth that the newest finished night took; None before the first.
        version: Of the truth that the night's window was opened with.
        label_days: See `tasks.preprocess.labels.LabelsConfig`.
    """
    end = window_end(truth, version).toordinal()
    of_rows, of_labels = _sides(truth, labels, done, version, label_days)
    is_own = is_labelled(promised, truth.contract.schema.names)
    rows = of_rows.keys(promised.key, of_labels, label_days, is_own)
    given = of_labels.keys(promised.key, of_rows, label_days, pl.lit(value=False))
    found = (
        rows.join(given.rename({_DAY: _OTHERS_DAY}), on=promised.key)
        .filter((pl.col(_DAY) - pl.col(_OTHERS_DAY)).abs() <= label_days)
        .select(*promised.key, _DAY, _OTHERS_DAY)
        .unique()
    )
    is_up = pl.col(_DAY) + label_days <= end
    alone = [
        frame.filter(_ASKED)
        .join(found, left_on=[*promised.key, _DAY], right_on=[*promised.key, day], how="anti")
        .select((~is_up).sum().alias(f"{what}_waiting"), is_up.sum().alias(f"{what}_given_up"))
        for what, frame, day in (("rows", rows, _DAY), ("labels", given, _OTHERS_DAY))
    ]
    counts = pl.concat(pl.collect_all(alone, engine="streaming"), how="horizontal")
    return Waiting.model_validate(counts.row(0, named=True))


def _sides(
    truth: ReadableTable, labels: ReadableTable, done: int | None, version: int, label_days: int
) -> tuple[_Side, _Side]:
    """Return rows and labels: it is asked of those that were in time by the night before, and of those that are new."""
    last, end = (window_end(truth, each) for each in (done, version))

    def side(contract: DataContract, days: Mapping[str, date], new: Collection[str]) -> _Side:
        own = {file: day.toordinal() for file, day in days.items() if day <= end}
        in_time = {file for file, day in own.items() if day + label_days > last.toordinal()}
        return _Side(contract, own, frozenset(in_time | (own.keys() & set(new))))

    days = {file: date.fromisoformat(truth.partition_of(file)) for file in truth.file_rows(version)}
    told = labels_by(truth, labels, version)
    before = told_before(truth, told, done)
    return (
        side(truth.contract, days, new_files(truth, done, version)),
        side(labels.contract, told, told.keys() - before.keys()),
    )


def _around(day: int, days: int) -> range:
    return range(day - days, day + days + 1)
