"""CSV, from whole lines to blocks of rows.

No line goes missing: a row that does not split, or that an open quote made of many, is handed on as its lines.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator

import polars as pl

from tasks.ingest import fields, header, lines
from tasks.ingest.config import SourceConfig
from tasks.ingest.fields import IN_QUOTE, Broken
from tasks.ingest.pieces import Piece
from tasks.ingest.quotes import QuotedRow, Quotes
from tasks.ingest.raw import MARK, Names, block, broken, without_marked
from tasks.ingest.sources import SourceFile

log = logging.getLogger(__name__)

Judge = Callable[[pl.DataFrame], pl.Series]
"""From a block of raw rows to the ``source_row`` of those that are good."""


def head(file: SourceFile, source: SourceConfig) -> list[str]:
    """Return the columns that the first line names, or `source.header` does.

    Raises:
        UnreadableFileError, OSError: See `rows`.
        WrongColumnError: `source.header` does not fit the first line, or is that line.
    """
    for data, quoted in _whole_rows(Piece(file=file), source):
        if source.header is None:
            return header.named(data[: header.end_of(data, quoted, source)], source)
        header.refuse_other(data, quoted, source)
        break
    if source.header is None:
        raise header.missing()
    return list(source.header)


def rows(piece: Piece, source: SourceConfig, names: Names, good_rows: Judge) -> Iterator[pl.DataFrame]:
    """Split lines into columns; broken rows, one a line, follow the block that they stood in.

    Args:
        piece: All of a file.
        source: Its separator, and whether fields may stand in quotes.
        names: The columns wanted.
        good_rows: Says which lines inside a row would be good rows, see `_Reader.swallowing`.

    Raises:
        UnreadableFileError: A line is longer than a block, or the one that names the columns cannot be read.
        OSError: The file is truncated or damaged.
    """
    reader = _Reader(source, names, good_rows)
    for data, quoted in _whole_rows(piece, source):
        yield from reader.frames(*(reader.below_head(data, quoted) if not reader.head else (data, quoted)))
    reader.say(piece.file.name)


def _whole_rows(piece: Piece, source: SourceConfig) -> Iterator[tuple[bytes, list[QuotedRow]]]:
    """Yield blocks that begin and end with a row, and which of their rows are of several lines."""
    if not source.quoted:
        yield from ((data, []) for data in lines.blocks(piece, source))
        return
    quotes = Quotes(source.separator or ",")
    rest = b""
    for whole in lines.blocks(piece, source):
        data = rest + whole
        quoted, end = quotes.rows(data, is_last=False)
        rest = data[end:]
        if end:
            yield data[:end], quoted
    if rest:
        yield rest, quotes.rows(rest, is_last=True)[0]


class _Reader:
    """Reads the blocks of one file one after another: numbers their rows, and counts the lines that stood in quotes."""

    def __init__(self, source: SourceConfig, names: Names, good_rows: Judge) -> None:
        self.head = list(source.header or ())
        self._source, self._names, self._good_rows = source, names, good_rows
        self._separator = (source.separator or ",").encode()
        self._quotes = Quotes(source.separator or ",")
        self._quoted = fields.options(source, quoted=source.quoted)
        self._unquoted = fields.options(source, quoted=False)
        self._start = self._lines = self._given_up = self._given_up_lines = 0

    def below_head(self, data: bytes, quoted: list[QuotedRow]) -> tuple[bytes, list[QuotedRow]]:
        """Take the line that names the columns off the first block."""
        end = header.end_of(data, quoted, self._source)
        self.head = header.named(data[:end], self._source)
        if self.swallowing(data, [row for row in quoted if row.start < end]):
            raise header.swallowing(self._source)
        below = [QuotedRow(row.start - end, row.end - end, row.is_broken) for row in quoted if row.start >= end]
        return data[end:], below

    def frames(self, data: bytes, quoted: list[QuotedRow]) -> Iterator[pl.DataFrame]:
        """Yield the rows of a block that stand, then the lines of those that do not."""
        kept, aside = fields.set_aside(data, self.swallowing(data, quoted), self._separator * len(self.head))
        columns, given_up = fields.split(kept, self._quoted, self.head, self._names, aside)
        good, bad = fields.numbered(columns.height, given_up)
        frame = block(columns.to_dict(), source_row=self._start + good)
        yield without_marked(frame, self._names, self._source.encoding) if MARK.encode() in kept else frame
        yield broken(
            [line for row in given_up for line in row.lines],
            source_row=self._start + bad,
            problem=[fields.said(row.problem, self._source) for row in given_up for _ in row.lines],
            names=self._names,
        )
        self._start += len(good) + len(bad)
        self._count(data, quoted, given_up)

    def swallowing(self, data: bytes, quoted: list[QuotedRow]) -> list[QuotedRow]:
        """Return the rows that no writer can have meant.

        Their quoting is broken (in one line: where it is read), or a line of them would be a good row by itself. Not so
        the first or the last alone: a text of several lines has the other columns before it or after it.
        """
        inside = {row: row.lines(data) for row in quoted if not row.is_broken}
        inside = {row: own for row, own in inside.items() if _holds_rows(map(self._may_split, own))}
        good = iter(self._are_good([line for own in inside.values() for line in own]))
        sound = {row for row in quoted if not (row.is_broken and self._is_read_broken(row, data))}
        sound -= {row for row, own in inside.items() if _holds_rows(itertools.islice(good, len(own)))}
        return [row for row in quoted if row not in sound]

    def _is_read_broken(self, row: QuotedRow, data: bytes) -> bool:
        lines = row.lines(data)
        read = {place for place, column in enumerate(self.head) if column in self._names.values()}
        return len(lines) > 1 or self._quotes.is_broken_in(lines[0], read)

    def _may_split(self, line: bytes) -> bool:
        return line.count(self._separator) == len(self.head) - 1

    def _are_good(self, texts: list[bytes]) -> list[bool]:
        """Say which lines would be good rows, were quotes ordinary characters."""
        if not texts:
            return []
        columns, not_split = fields.split(b"\n".join(texts), self._unquoted, self.head, self._names)
        numbers, _ = fields.numbered(columns.height, not_split)
        good = set(self._good_rows(block(columns.to_dict(), source_row=numbers)))
        return [number in good for number in range(len(texts))]

    def _count(self, data: bytes, quoted: list[QuotedRow], given_up: list[Broken]) -> None:
        swallowed = [len(row.lines) for row in given_up if row.problem == IN_QUOTE]
        self._lines += sum(len(row.lines(data)) - 1 for row in quoted)
        self._given_up += len(swallowed)
        self._given_up_lines += sum(swallowed)

    def say(self, file: str) -> None:
        """Say how many lines stood inside quotes."""
        if self._lines:
            log.info("%s: %s lines begin inside quotes.", file, f"{self._lines:,}")
        if self._given_up:
            log.warning(
                "%s: %s rows do not close a quote that they open: their %s lines are broken rows. Where quotes are "
                "ordinary characters, set %s to false.",
                file,
                f"{self._given_up:,}",
                f"{self._given_up_lines:,}",
                self._source.named("quoted"),
            )


def _holds_rows(are_rows: Iterable[bool]) -> bool:
    """Whether a row of several lines holds others, by which of its lines are rows."""
    lines = list(are_rows)
    return any(lines[1:-1]) or sum(lines) > 1
