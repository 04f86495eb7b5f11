"""What names the columns of CSV: its first line, or `source.header` where no line does."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.ingest import fields
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tasks.ingest.fields import IN_QUOTE
from tasks.ingest.quotes import LINE_BREAK, QuotedRow
from tasks.ingest.raw import MARK, undecodable

_SHOWN = 80
"""Bytes of a line that does not fit which an error shows."""


def named(line: bytes, source: SourceConfig) -> list[str]:
    """Return the columns that a line names.

    Raises:
        UnreadableFileError: It cannot be decoded.
    """
    names = fields.first(line, fields.options(source, quoted=source.quoted))
    if any(MARK in name for name in names):
        raise UnreadableFileError(undecodable("the line that names the columns", source.encoding))
    return names


def end_of(data: bytes, quoted: Sequence[QuotedRow], source: SourceConfig) -> int:
    """Return where the row ends that names the columns of a first block.

    Raises:
        UnreadableFileError: It does not end, or its quoting is broken.
    """
    row = _first_quoted(data, quoted)
    if row is not None:
        if row.is_broken:
            raise swallowing(source)
        return row.end
    found = LINE_BREAK.search(data, _begin(data))
    if found is None:
        raise missing()
    return found.end()


def refuse_other(data: bytes, quoted: Sequence[QuotedRow], source: SourceConfig) -> None:
    """Compare `source.header` with the first row of a file; one whose quoting is broken says nothing of it.

    Raises:
        WrongColumnError: The row has another number of fields, or is the header.
    """
    row, begin, names = _first_quoted(data, quoted), _begin(data), list(source.header or ())
    if begin == len(data) or (row is not None and row.is_broken):
        return
    found = LINE_BREAK.search(data, begin)
    line = data[begin : row.end if row else found.start() if found else len(data)].rstrip(b"\r\n")
    own = fields.first(line + b"\n", fields.options(source, quoted=source.quoted))
    if own == names:
        raise WrongColumnError(
            f"its first line is {source.named('header')}, {names}: drop that setting, the line names them"
        )
    if len(own) != len(names):
        shown = line[:_SHOWN].decode(errors="replace")
        raise WrongColumnError(
            f"its first line has {len(own):,} fields, {shown!r}, and {source.named('header')} names {len(names):,}, "
            f"{names}. Name each, in their order; see {source.named('separator')}"
        )


def swallowing(source: SourceConfig) -> UnreadableFileError:
    """Return what is wrong with a first row that swallowed others."""
    return UnreadableFileError(f"its columns are named {fields.said(IN_QUOTE, source)}")


def missing() -> UnreadableFileError:
    """Return what is wrong with a file without a line."""
    return UnreadableFileError("it has no whole line, wanted one that names the columns")


def _first_quoted(data: bytes, quoted: Sequence[QuotedRow]) -> QuotedRow | None:
    return quoted[0] if quoted and quoted[0].start <= _begin(data) else None


def _begin(data: bytes) -> int:
    return len(data) - len(data.lstrip(b"\r\n"))
