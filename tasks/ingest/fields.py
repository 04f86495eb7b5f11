"""Rows of CSV split into columns by Arrow, a block at a time; rows that do not split are kept as their lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from tasks.ingest.config import SourceConfig
from tasks.ingest.quotes import QuotedRow
from tasks.ingest.raw import MARK, Names

NOT_SPLIT = "wrong number of columns"
IN_QUOTE = "inside a quote that its row does not close"

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_PLACE = re.compile(rf"{MARK}(\d+)")
"""Stands in a block where a row was set aside. No bytes that are not UTF-8 are escaped so."""


class Broken(NamedTuple):
    """A row that is given up: each of its ``lines`` is a row from now on. ``place`` good rows stand before it."""

    place: int
    lines: list[str]
    problem: str


def said(problem: str, source: SourceConfig) -> str:
    """Say what is wrong with a row, and where an open quote is in it, which setting to see."""
    return f"{problem}; see {source.named('quoted')}" if problem == IN_QUOTE else problem


def options(source: SourceConfig, *, quoted: bool) -> csv.ParseOptions:
    """Say how rows are split; in quotes they may be of several lines."""
    return csv.ParseOptions(
        delimiter=source.separator or ",", quote_char='"' if quoted else False, newlines_in_values=quoted
    )


def first(line: bytes, parse: csv.ParseOptions) -> list[str]:
    """Return the fields of a file's first line."""
    alone = csv.ReadOptions(use_threads=False)
    names: list[str] = csv.read_csv(pa.BufferReader(line), alone, parse).column_names
    return names


def set_aside(data: bytes, rows: Sequence[QuotedRow], separators: bytes) -> tuple[bytes, list[list[str]]]:
    """Take ``rows`` out of a block; return what is left, and what `split` is to know of them.

    In their places stand lines that do not split, as they have too many ``separators``.
    """
    pieces, begin = list[bytes](), 0
    for place, row in enumerate(rows):
        pieces += [data[begin : row.start], f"{MARK}{place}".encode(), separators, b"\n"]
        begin = row.end
    return b"".join([*pieces, data[begin:]]), [[line.decode() for line in row.lines(data)] for row in rows]


def split(
    data: bytes, parse: csv.ParseOptions, head: list[str], names: Names, aside: Sequence[list[str]] = ()
) -> tuple[pl.DataFrame, list[Broken]]:
    """Return the columns wanted of the rows that split, and the other rows in their order.

    Args:
        data: Whole rows, UTF-8.
        parse: From `options`.
        head: The names of all columns.
        names: The columns wanted.
        aside: Lines of the rows that `set_aside` took out of ``data``.
    """
    broken, placed = list[Broken](), list[int]()
    if not data.strip(b"\r\n"):
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String)), broken

    def keep(row: csv.InvalidRow) -> Literal["skip"]:
        place = row.number - 1 - len(broken)
        known = _PLACE.match(row.text)
        if known and int(known[1]) == len(placed) < len(aside):
            placed.append(place)
            broken.append(Broken(place, aside[int(known[1])], IN_QUOTE))
        else:
            own = [line for line in _LINE_BREAK.split(row.text) if line]
            broken.append(Broken(place, own, NOT_SPLIT if len(own) == 1 else IN_QUOTE))
        return "skip"

    if data.startswith(codecs.BOM_UTF8):
        data = b"\n" + data  # here it is text: only at the start of a file is it a mark, and Arrow takes it off
    parse.invalid_row_handler = keep
    table = csv.read_csv(
        pa.BufferReader(data),
        read_options=csv.ReadOptions(block_size=len(data) + 1, use_threads=False, column_names=head),
        parse_options=parse,
        convert_options=csv.ConvertOptions(
            include_columns=list(names.values()),
            column_types=dict.fromkeys(names.values(), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return pl.DataFrame({name: pl.from_arrow(table[column]) for name, column in names.items()}), broken


def numbered(good: int, broken: Sequence[Broken]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the ``good`` rows of a block, and the lines of the ``broken`` ones, in the order of the block, from 0."""
    places = np.array([row.place for row in broken], np.int64)
    sizes = np.array([len(row.lines) for row in broken], np.int64)
    before = np.concatenate([[0], np.cumsum(sizes)])  # lines of broken rows before each broken row
    rows = np.arange(good, dtype=np.int64)
    lines = np.arange(before[-1]) + np.repeat(places, sizes)
    return rows + before[np.searchsorted(places, rows, side="right")], lines
