"""Files whose made-up times run into one another: between their rows the order means nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tasks.ingest.files import StagedFile

log = logging.getLogger(__name__)

Span = tuple[datetime, int, str]
"""When a file was written, how many rows it has, and its name."""


def say_overlaps(taken: Sequence[StagedFile]) -> None:
    """Warn where a file was written before the made-up times of another end."""
    found = overlaps(
        (file.source.written, file.rows + file.left_out, file.source.name)
        for file in taken
        if file.source.written is not None
    )
    if found:
        first, then = found[0]
        log.warning(
            "%s of the files were written before the made-up times of another end, the first of them %s, beside %s: "
            "the order between their rows means nothing, and equal ones may be repeats. Make one file of them, or "
            "write each later than the last.",
            f"{len(found):,}",
            then,
            first,
        )


def overlaps(files: Iterable[Span]) -> list[tuple[str, str]]:
    """Return each file that begins inside another, after the name of that one; a file without rows is in none."""
    found: list[tuple[str, str]] = []
    last: tuple[datetime, str] | None = None
    for written, rows, name in sorted(span for span in files if span[1]):
        if last and written < last[0]:
            found.append((last[1], name))
        own = written + timedelta(microseconds=rows), name
        last = max(last, own) if last else own
    return found
