"""Which rows of the truth a night is made of: the files that came since the last one, up to its window's end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from data_contracts.reading import ReadableTable
from tasks.preprocess.errors import OutOfOrderError, RowsLostError

_NAMED = re.compile(r"/night-(\d+)-[^/]*$")


def new_files(truth: ReadableTable, done: int | None, version: int, *, by_window: bool = True) -> dict[str, int]:
    """Return the files with the rows of a night, and their rows: those up to the end of its window.

    They came since the newest finished night, or before and too early for it: each file is of one day.

    Args:
        truth: The table of the rows as they came.
        done: Version of it that the newest finished night took; None before the first.
        version: Of the truth that the night's window was opened with.
        by_window: Whether rows after the window's end wait for their own; without times none does.
    """
    files = truth.file_rows(version)
    new = {file for file in files if done is None or came_with(file) > done}
    if not by_window:
        return {file: rows for file, rows in files.items() if file in new}
    before, end = window_end(truth, done), window_end(truth, version)
    days = {file: date.fromisoformat(truth.partition_of(file)) for file in files}
    return {file: rows for file, rows in files.items() if (file in new or days[file] > before) and days[file] <= end}


def came_with(file: str) -> int:
    """Return the version of its table with which the rows of a file came: its name says so, whoever wrote it anew.

    Raises:
        OutOfOrderError: It does not.
    """
    found = _NAMED.search(file)
    if found is None:
        raise OutOfOrderError(
            f"{file}: its name does not say with which night its rows came, `night-000007-...`, so nobody can tell "
            "whether they are new. No features were published. Restore the table to a version without this file."
        )
    return int(found[1])


def group_files(files: Mapping[str, int], rows_per_task: int) -> list[list[str]]:
    """Put whole files together until a group holds about ``rows_per_task`` rows; the same files, the same groups."""
    groups: list[list[str]] = []
    room = 0
    for file, rows in sorted(files.items()):
        if not groups or room < rows:
            groups.append([])
            room = rows_per_task
        groups[-1].append(file)
        room -= rows
    return groups


def refuse_lost_files(truth: ReadableTable, version: int) -> None:
    """See that a version has as many rows as validate counted; tables made before do not say how many.

    Raises:
        RowsLostError: It has not.
    """
    promised, found = truth.mark("rows", version), sum(truth.file_rows(version).values())
    if promised not in (None, found):
        raise RowsLostError(
            f"{truth.uri}: validate published {promised:,} rows up to version {version}, its files have {found:,}. No "
            "features were published. Restore the table."
        )


def window_end(truth: ReadableTable, version: int | None) -> date:
    """Return the last day of the window that a version of the truth was opened with."""
    last_day = None if version is None else truth.mark("window", version)
    return date.min if last_day is None else date.fromordinal(last_day)
