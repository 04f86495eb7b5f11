"""JSON Lines: each line is decoded once, by its types; the columns wanted become text, exactly or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import cast

import orjson
import polars as pl
import pyarrow as pa

from tasks.ingest import lines
from tasks.ingest.config import SourceConfig
from tasks.ingest.json_events import SEVERAL, events_of
from tasks.ingest.json_path import keys, value_at
from tasks.ingest.json_values import Unreadable, as_text, whole_number, written
from tasks.ingest.pieces import Piece
from tasks.ingest.raw import MARK, Names, as_json, block, not_one_value, shown, undecodable

_TOGETHER = 512
"""Lines decoded together. Of those beside a broken one each is looked at by itself."""
_MARK = MARK.encode()
_NO_ID = (bool, list, dict)

Document = dict[str, object] | list[object]
"""What a line holds."""


def rows(piece: Piece, source: SourceConfig, names: Names, schema: pa.Schema) -> Iterator[pl.DataFrame]:
    """Decode lines; empty ones are no rows.

    A number that is whole is written whole, so that 7.0 and 7 are one id; a text stays as it came. A list, an object,
    true, false and a whole number that has lost its digits are no id; where only an expression reads them, they are
    text as JSON writes it.

    Args:
        piece: Of a file of the source.
        source: Says the encoding of its text.
        names: The columns wanted, as members or paths.
        schema: The contract's columns; those of text hold ids.

    Raises:
        UnreadableFileError, OSError: See `lines.blocks`.
    """
    start = 0
    for data in lines.blocks(piece, source):
        read = _Rows(names, undecodable("line", source.encoding))
        all_lines = list(filter(None, data.splitlines()))
        for first in range(0, len(all_lines), _TOGETHER):
            read.add(all_lines[first : first + _TOGETHER])
        yield read.block(start, schema)
        start += len(read)


class _Rows:
    """The rows of a block: their values by column, their lines, and what is wrong with some of them."""

    def __init__(self, names: Names, undecoded: str) -> None:
        self._undecoded = undecoded
        self._values: dict[str, list[object]] = {name: [] for name in names}
        self._originals: list[str] = []
        self._problems: dict[int, str] = {}
        self._is_strict = True
        ways = [(keys(column), self._values[name]) for name, column in names.items()]
        self._members = [(way[0], values) for way, values in ways if len(way) == 1 and isinstance(way[0], str)]
        self._deeper = [(way, values) for way, values in ways if len(way) > 1 or not isinstance(way[0], str)]
        self._kinds = (dict, list) if any(isinstance(way[0], int) for way, _ in ways) else (dict,)

    def __len__(self) -> int:
        return len(self._originals)

    def add(self, lines: Sequence[bytes]) -> None:
        """Decode lines, member by member where all of them are as they should be."""
        documents = _objects(lines)
        if documents is None:
            for line in lines:
                self._add_line(line)
            return
        for member, values in self._members:
            values += [document.get(member) for document in documents]
        for way, values in self._deeper:
            values += [value_at(document, way) for document in documents]
        self._originals += map(bytes.decode, lines)

    def _add_line(self, line: bytes) -> None:
        """Decode a line, strictly where it can be."""
        text = line.decode()
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            self._add_odd(text)
            return
        if MARK in text or type(document) not in self._kinds:
            self._add_broken(text, "not a JSON object")
            return
        self._add(document)
        self._originals.append(text)

    def _add(self, document: Document) -> None:
        get = document.get if isinstance(document, dict) else _nothing
        for member, values in self._members:
            values.append(get(member))
        for way, values in self._deeper:
            values.append(value_at(document, way))

    def _add_odd(self, text: str) -> None:
        """Take what Python writes and orjson refuses, NaN, half a surrogate, long numbers, where it stands unread."""
        if not text.strip():
            return
        try:
            document = json.loads(text, parse_int=whole_number)
        except (ValueError, RecursionError):
            document = None
        if MARK in text or type(document) not in self._kinds:
            self._add_broken(text, "not JSON")
            return
        self._is_strict = False
        self._add(document)
        self._originals.append(as_json(text))

    def _add_broken(self, line: str, problem: str) -> None:
        """Add a line as one row, or as many as it has events."""
        events = events_of(line, self._kinds)
        for text in events or [line]:
            self._problems[len(self)] = self._undecoded if MARK in line else SEVERAL if events else problem
            for values in self._values.values():
                values.append(None)
            self._originals.append(as_json(text))

    def block(self, start: int, schema: pa.Schema) -> pl.DataFrame:
        """Return the rows, the first of which has number ``start``."""
        columns = {name: self._texts(name, values, schema) for name, values in self._values.items()}
        problem = [self._problems.get(row) for row in range(len(self))] if self._problems else [None] * len(self)
        told = {"original": self._originals, "problem": problem}
        return block(
            {name: pl.Series(texts, dtype=pl.String) for name, texts in (columns | told).items()},
            source_row=range(start, start + len(self)),
        )

    def _texts(self, name: str, values: list[object], schema: pa.Schema) -> list[str | None]:
        if self._is_strict and set(map(type, values)) <= {str, NoneType}:
            return cast("list[str | None]", values)
        is_helper = name not in schema.names
        is_id = not is_helper and pa.types.is_string(schema.field(name).type)
        texts = list[str | None]()
        for row, value in enumerate(values):
            text = written(value) if is_helper and isinstance(value, _NO_ID) else as_text(value, is_id=is_id)
            if isinstance(text, Unreadable):
                self._problems.setdefault(row, f"{shown(name)} {text.why}" if text.why else not_one_value(name))
                text = None
            texts.append(text)
        return texts


def _objects(lines: Sequence[bytes]) -> list[dict[str, object]] | None:
    """Return what lines hold; None where not all are JSON objects and UTF-8."""
    try:
        documents = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return None
    are_sound = set(map(type, documents)) == {dict} and _MARK not in b"".join(lines)
    return documents if are_sound else None


def _nothing(_: str) -> None:
    return None
