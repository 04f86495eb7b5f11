"""Texts to try Nightshift on: Parquet files of documents, with the times at which they were written.

    python -m examples.language                                          what Python says of itself (`help("for")`)
    python -m examples.language --next-day                               one day more of it
    python -m examples.language --folder var/play/texts --text FILE      a text of your own, in the order of the file

Python's help comes as six days, a little dirty: one text a day is no UTF-8. Of a text of your own the last tenth is the
newest day, so what a night holds out is the end of the file. No text says when it was written; the days are made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from examples.by_day import DAYS_AT_FIRST, FIRST_DAY, Days, parser, times_of, write

CHARACTERS = 2_500
"""Of a document, about: it ends with a paragraph."""
MOST = 4
"""Times as many, from which on it ends with a line."""
TENTHS = 10


def help_texts() -> Days:
    """Yield the days of Python's help on its own words."""
    from pydoc_data.topics import topics

    texts = [piece for name in sorted(topics) for piece in pieces(topics[name])]
    days = DAYS_AT_FIRST + 1
    for number in range(days):
        dirty = [b"caf\xe9 au lait", *(text.encode() for text in texts[number::days])]
        yield FIRST_DAY + timedelta(days=number), _day(dirty, FIRST_DAY + timedelta(days=number))


def of_text(file: Path) -> Days:
    """Yield the days of a text: nine tenths of it, a tenth a day, then the last one."""
    text = file.read_bytes().decode()
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
    return pa.table({"text": pa.array(texts, pa.binary()), "written_at": times_of(day, len(texts))})


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days that are not there yet, and say so.

    Raises:
        SystemExit: The command line is wrong, or the text is; the message says how.
    """
    asked = parser("language", "texts with times", "var/help/texts")
    asked.add_argument("--text", type=Path, help="file of a text, UTF-8; Python's help when left out")
    options = asked.parse_args(arguments)
    days, at_first = (of_text(options.text), None) if options.text else (help_texts(), DAYS_AT_FIRST)
    write(days, options, at_first, "texts")


if __name__ == "__main__":
    main()
