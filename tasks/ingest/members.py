"""Which columns a file of JSON Lines has: no head names them, so its rows tell, block by block and piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from copy import copy

import orjson
import polars as pl
import pyarrow as pa

from tasks.ingest.columns import is_optional, near
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.json_path import is_said, keys
from tasks.ingest.raw import Names, not_one_value, shown

_EXAMPLE_LENGTH = 200


class Members:
    """What the rows say about the columns: null is a value that is missing, a member that no row has is a column."""

    def __init__(self, names: Names, schema: pa.Schema, source: SourceConfig) -> None:
        self._names, self._defaults = names, source.defaults.keys() - {*source.columns, *source.compute}
        self._empty, helpers, self._columns = set(names), source.helpers, source.named("columns")
        self._unsaid = {
            name for name, column in names.items() if column in helpers or not is_optional(schema.field(name), source)
        }
        self._problems = Counter[str]()
        self._example = ""

    def add(self, raw: pl.DataFrame) -> None:
        """Look at one block."""
        self._problems.update(raw["problem"].drop_nulls())
        self._example = self._example or _example(raw, self._names)
        self._empty = {name for name in self._empty if raw[name].null_count() == raw.height}
        self._unsaid = {name for name in self._unsaid & self._empty if not _is_said(raw["original"], self._names[name])}

    def __add__(self, later: Members) -> Members:
        """Return what both saw, of one file."""
        both = copy(self)
        both._problems, both._example = self._problems + later._problems, self._example or later._example
        both._empty, both._unsaid = self._empty & later._empty, self._unsaid & later._unsaid
        return both

    def refuse_wrong(self, folders: Iterable[str]) -> None:
        """Refuse a file in which no row has a column, or none a single value there.

        Args:
            folders: Columns of its path.

        Raises:
            WrongColumnError: So it is; or a default would stand in for a column that almost has its name.
        """
        if not self._example:
            return
        unread = {name for name in self._empty if self._problems[not_one_value(name)]}
        problems = [
            f"{shown(name)} is read from {column!r}, and {'no single value' if name in unread else 'nothing'} is there "
            "in any row"
            for name, column in self._names.items()
            if name in unread | self._unsaid
        ]
        document = orjson.loads(self._example)
        there = [*folders, *(document if isinstance(document, dict) else ())]
        for name in sorted(self._empty.intersection(self._defaults) - unread):
            problems += near(name, [each for each in there if each not in self._names.values()])
        if problems:
            raise WrongColumnError(
                f"{'; '.join(problems)}, e.g. {self._example[:_EXAMPLE_LENGTH]}. Set {self._columns}."
            )


def _is_said(lines: pl.Series, column: str) -> bool:
    way = keys(column)
    return any(is_said(orjson.loads(line), way) for line in lines.drop_nulls())


def _example(raw: pl.DataFrame, names: Names) -> str:
    """Return the first row that could be split into columns, whatever they hold; empty when there is none."""
    is_split = pl.col("problem").is_null() | pl.col("problem").is_in(list(map(not_one_value, names)))
    return str(raw.filter(is_split)["original"].first() or "")
