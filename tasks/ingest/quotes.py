"""Rows of several lines, where a quote is opened in one line and closed in another, and rows of broken quoting.

A quote opens and closes as Arrow's CSV reader sees it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container
from typing import NamedTuple

from tasks.ingest.lines import BLOCK_BYTES

MAX_LINES = 1_000
"""A quote that is not closed within so many lines is closed there: whoever opened it did not mean it."""

LINE_BREAK = re.compile(rb"\r\n|\n|\r")


class QuotedRow(NamedTuple):
    """A row that holds line breaks, or whose quoting is broken.

    Attributes:
        start: Where it begins in its block, in bytes.
        end: Where the next row begins.
        is_broken: Whether no writer means such a row: its quote is not closed, or text follows where it is.
    """

    start: int
    end: int
    is_broken: bool

    def lines(self, block: bytes) -> list[bytes]:
        """Return its lines, less empty ones."""
        return [line for line in block[self.start : self.end].splitlines() if line]


class Quotes:
    """Finds such rows. A quote opens a field only where one begins; elsewhere it is a character."""

    def __init__(self, separator: str) -> None:
        """Find them between fields that ``separator``, one character, stands between."""
        between = rb"[^%b\r\n]" % re.escape(separator.encode())
        blank = b"[ ]" if separator == "\t" else rb"\t" if separator == " " else rb"[ \t]"
        in_one_line = rb'(?<!%b)"[^"\r\n]*+"(?:"[^"\r\n]*+")*+%b*+(?!%b)' % (between, blank, between)
        character = rb'(?<=%b)"' % between
        self._field = re.compile(
            rb'(?:[^"]*+(?:%b|%b))*+[^"]*+' % (in_one_line, character)
            + rb'(?P<field>"(?:[^"]++|"")*+(?P<close>"?)(?P<rest>%b*+))' % between
        )
        self._one = re.compile(rb'"(?:[^"]++|"")*+(?P<close>"?)(?P<rest>%b*+)|%b*+' % (between, between))
        self._separator = separator.encode()

    def is_broken_in(self, line: bytes, places: Container[int]) -> bool:
        """Whether in a row of one line text follows a closing quote in one of some fields, or none closes one."""
        place = position = 0
        while field := self._one.match(line, position):
            if field["close"] == b"" or (field["close"] and field["rest"].strip() and place in places):
                return True
            if not line.startswith(self._separator, field.end()):
                break
            place, position = place + 1, field.end() + 1
        return False

    def rows(self, block: bytes, *, is_last: bool) -> tuple[list[QuotedRow], int]:
        """Return such rows of ``block``, and where the row begins that goes on in the next one.

        Args:
            block: Whole lines, the first of which begins a row.
            is_last: Whether nothing comes after it.
        """
        found: list[QuotedRow] = []
        start = position = 0
        if b'"' not in block:
            return found, len(block)
        while field := self._field.match(block, position):
            start = _line_start(block, position, field.start("field")) or start
            is_same_row = bool(found) and found[-1].start == start
            was_broken = is_same_row and found.pop().is_broken
            end = _too_far(block, start, field.end())
            if end is None and not field["close"]:
                if not is_last and len(block) - start < BLOCK_BYTES:
                    return found, start
                end = len(block)
            if end is None:
                ends = LINE_BREAK.search(block, field.end())
                is_broken = was_broken or bool(field["rest"].strip())
                found.append(QuotedRow(start, ends.end() if ends else len(block), is_broken))
                position = field.end()
            else:
                found.append(QuotedRow(start, end, is_broken=True))
                start = position = end
        return found, len(block)


def _line_start(block: bytes, begin: int, end: int) -> int:
    """Return where the line that ``end`` is in begins; 0 when it began before ``begin``."""
    return max(block.rfind(b"\n", begin, end), block.rfind(b"\r", begin, end)) + 1


def _too_far(block: bytes, start: int, end: int) -> int | None:
    """Return where `MAX_LINES` lines from ``start`` end, if that is before ``end``."""
    if block.count(b"\n", start, end) + block.count(b"\r", start, end) < MAX_LINES:
        return None
    last = next(itertools.islice(LINE_BREAK.finditer(block, start, end), MAX_LINES - 1, None), None)
    return last.end() if last else None
