"""What examples that write a Parquet file a day have in common: their days, their options and their files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = date(2026, 1, 1)
DAYS_AT_FIRST = 5
"""Of the six that come without a file: one is left for another night."""
ROWS_TOGETHER = 1_000
"""In a row group of a file."""

Days = Iterator[tuple[date, pa.Table]]


def times_of(day: date, count: int) -> pa.Array:
    """Return so many times, one after another from morning to evening."""
    start, step = datetime.combine(day, time(6), UTC), timedelta(hours=12) / max(count, 1)
    return pa.array([start + number * step for number in range(count)], pa.timestamp("us", "UTC"))


def parser(name: str, rows: str, folder: str) -> argparse.ArgumentParser:
    """Return the options of an example that writes ``rows`` into ``folder`` if no other one is named."""
    found = argparse.ArgumentParser(
        prog=f"python -m examples.{name}",
        description=f"Write {rows}, one Parquet file a day (UTC). The same options give the same rows; a day that is "
        "there already is left as it is.",
    )
    found.add_argument("--folder", type=Path, default=Path(folder), help="where (default: %(default)s)")
    which = found.add_mutually_exclusive_group()
    which.add_argument("--days", type=int, help="write so many, the oldest (default: 5; of files of your own all)")
    which.add_argument("--next-day", action="store_true", help="write the day after the newest in the folder")
    return found


def write(days: Days, options: argparse.Namespace, at_first: int | None, rows: str) -> None:
    """Write the days that are not there yet, each whole or not at all, as a night may be looking; and say so.

    Args:
        days: All of them, oldest first.
        options: See `parser`.
        at_first: How many are written where nobody says it; None for all.
        rows: What people call them.

    Raises:
        SystemExit: What they are read from is not there, or is not as it should be.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    there = len(list(options.folder.glob("*.parquet")))
    try:
        for day, table in islice(days, there + 1 if options.next_day else options.days or at_first):
            file: Path = options.folder / f"{day}.parquet"
            if not file.exists():
                unfinished = file.with_name(f".{file.name}")
                pq.write_table(table, unfinished, row_group_size=ROWS_TOGETHER)
                unfinished.rename(file)
                print(f"{file}: {table.num_rows:,} {rows}")
    except (OSError, ValueError) as error:
        sys.exit(f"{rows}: {error}")
