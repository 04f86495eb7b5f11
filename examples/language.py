"""Texts to try Nightshift on: Parquet files of documents, with the times at which they were written.

    python -m examples.language                                          what Python says of itself (`help("for")`)
    python -m examples.language --next-day                               one day more of it
    python -m examples.language --folder var/play/texts --text FILE      a text of your own, in the order of the file

Python's help comes as six days, a little dirty: one text a day is no UTF-8. Of a text of your own the last tenth is the
newest day, so what a night holds out is the end of the file. No text says when it was written; the days are made up.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = date(2026, 1, 1)
DAYS_AT_FIRST = 5
"""Of the six of Python's help: one is left for another night."""
CHARACTERS = 2_500
"""Of a document, about: it ends with a paragraph."""
MOST = 4
"""Times as many, from which on it ends with a line."""
TENTHS = 10


def help_texts() -> Iterator[tuple[date, pa.Table]]:
    """Yield the days of Python's help on its own words."""
    from pydoc_data.topics import topics

    texts = [piece for name in sorted(topics) for piece in pieces(topics[name])]
    days = DAYS_AT_FIRST + 1
    for number in range(days):
        dirty = [b"caf\xe9 au lait", *(text.encode() for text in texts[number::days])]
        yield FIRST_DAY + timedelta(days=number), _day(dirty, FIRST_DAY + timedelta(days=number))


def of_text(text: str) -> Iterator[tuple[date, pa.Table]]:
    """Yield the days of a text: nine tenths of it, a tenth a day, then the last one."""
    ends = [len(text) * tenth // TENTHS for tenth in range(TENTHS + 1)]
    for number in range(TENTHS):
        own = pieces(text[ends[number] : ends[number + 1]])
        day = FIRST_DAY + timedelta(days=number)
        yield day, _day([each.encode() for each in own], day)


def pieces(text: str) -> list[str]:
    """Cut a text into documents; put behind each other they are the text, but for what is blank at its end.

    A document ends with a paragraph, or with a line where a paragraph is very long.
    """
    found: list[str] = []
    start = 0
    for end in re.finditer(r"\n+", text):
        size = end.end() - start
        if size >= CHARACTERS * (1 if len(end[0]) > 1 else MOST):
            found.append(text[start : end.end()])
            start = end.end()
    rest = text[start:]
    return [*found, rest] if rest.strip() else found


def _day(texts: Sequence[bytes], day: date) -> pa.Table:
    """Return a day's texts, one after another from morning to evening."""
    start, step = datetime.combine(day, time(6), UTC), timedelta(hours=12) / max(len(texts), 1)
    times = pa.array([start + number * step for number in range(len(texts))], pa.timestamp("us", "UTC"))
    return pa.table({"text": pa.array(texts, pa.binary()), "written_at": times})


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days that are not there yet, and say so.

    Raises:
        SystemExit: The command line is wrong, or the text is; the message says how.
    """
    parser = argparse.ArgumentParser(
        prog="python -m examples.language",
        description="Write texts with times, one Parquet file a day (UTC). The same options give the same rows; a day "
        "that is there already is left as it is.",
    )
    parser.add_argument("--folder", type=Path, default=Path("var/help/texts"), help="where (default: %(default)s)")
    parser.add_argument("--text", type=Path, help="file of a text, UTF-8; Python's help when left out")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--days", type=int, help="write so many, the oldest (default: 5 of the help's, all of a text's)")
    which.add_argument("--next-day", action="store_true", help="write the day after the newest in the folder")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    days = options.days or (None if options.text else DAYS_AT_FIRST)
    if options.next_day:
        days = len(list(options.folder.glob("*.parquet"))) + 1
    try:
        found = of_text(_read(options.text)) if options.text else help_texts()
        for number, (day, table) in enumerate(found, start=1):
            file = options.folder / f"{day}.parquet"
            if not file.exists():
                _write(table, file)
                print(f"{file}: {table.num_rows:,} texts")
            if number == days:
                break
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"language: {error}")


def _read(file: Path) -> str:
    with file.open(encoding="utf-8", newline="") as text:
        return text.read()


def _write(table: pa.Table, file: Path) -> None:
    """Write a file whole or not at all: a night may be looking."""
    unfinished = file.with_name(f".{file.name}")
    pq.write_table(table, unfinished)
    unfinished.rename(file)


if __name__ == "__main__":
    main()
