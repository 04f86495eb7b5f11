"""What became of the rows of a night's files, where labels may come later: all are accounted for, or none is published.

A row is an example, was one before this night, or has no label yet.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from data_contracts.table import Part
from tasks.preprocess.errors import RowsLostError
from tasks.preprocess.labels import WHICH_COUNTS, Due

logger = logging.getLogger(__name__)


class Taken(NamedTuple):
    """What became of the rows of some files.

    Attributes:
        parts: Files of `examples` that nobody sees before their commit.
        read: Rows in the files.
        waiting: Those without a label.
        done: Those that a night before has made examples of.
        disputed: Labelled ones of which another label says something else.
    """

    parts: list[Part]
    read: int = 0
    waiting: int = 0
    done: int = 0
    disputed: int = 0

    @property
    def written(self) -> int:
        """Examples in the files."""
        return sum(part.rows for part in self.parts)


def add_up(due: Sequence[Due], taken: Sequence[Taken], rows: str) -> Taken:
    """Add up what became of all files, and say so.

    Args:
        due: The night's files.
        taken: What became of them, each once.
        rows: What people call the rows.

    Raises:
        RowsLostError: A row is missing.
    """
    parts = [part for each in taken for part in each.parts]
    whole = Taken(parts, *(sum(counts) for counts in zip(*(each[1:] for each in taken), strict=True)))
    wanted, written = sum(each.rows for each in due), whole.written
    logger.info(
        "%s %s: %s are examples; %s have no label yet, and are neither learned from nor judged by; %s were done before",
        f"{wanted:,}", rows, *(f"{number:,}" for number in (written, whole.waiting, whole.done)),
    )  # fmt: skip
    if whole.disputed:
        logger.warning("%s %s have labels that differ: %s", f"{whole.disputed:,}", rows, WHICH_COUNTS)
    if wanted != whole.read or wanted != written + whole.waiting + whole.done:
        raise RowsLostError(
            f"{wanted:,} {rows} were to be taken, {whole.read:,} were read; {written:,} examples were written, "
            f"{whole.waiting:,} have no label yet, and {whole.done:,} were done before. No features were published. "
            "Start the night again; if it stays, this is a fault of the program."
        )
    return whole
