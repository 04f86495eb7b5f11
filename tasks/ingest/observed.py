"""What the rows of one file say about its columns, beyond what its head says; gathered block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import polars as pl

from tasks.ingest.columns import TEXT
from tasks.ingest.raw import as_text, not_one_value

WHOLE_NUMBERS, FRACTIONS, MIXED = "whole numbers", "fractions", "text"
"""How all ids of a column of text are written: ``3``; ``3.0`` or ``1e+16``; otherwise."""

_NOTHING = r"^(?i:[+-]?nan|none|null|\(null\)|nil|undefined|<?n/?a>?|#n/?a(?: n/a)?|\\n|-+|\?)$"
"""What writers put for an id that is missing. It says nothing about the others."""
_INK = r"\S"
_WHOLE_NUMBER = "^[+-]?[0-9]+$"
_FRACTION = r"^[+-]?[0-9]+(?:\.0+|\.?[0-9]*[eE]\+?[0-9]+)$"


class Observed:
    """Counts, forms and examples of the columns that are read.

    Attributes:
        given: Column of a block to the rows in which it holds something.
        left_out: Rows that `source.where` is false for.
        forms: Column of text to how its values are written, where there are any.
        examples: The same to one of these values.
        unread_time: The first time that cannot be read, as it came; empty without.
    """

    def __init__(self, time_column: str, parts: Collection[str] = ()) -> None:
        """Look at the rows of a file.

        Args:
            time_column: Of the contract.
            parts: Columns of a block of which texts are made: how they are written tells, as it does of ids.
        """
        self._time, self._parts = time_column, parts
        self.given: Counter[str] = Counter()
        self.left_out = 0
        self.forms: dict[str, str] = {}
        self.examples: dict[str, str] = {}
        self.unread_time = ""

    def count(self, raw: pl.DataFrame, names: Mapping[str, str], *, taken: int) -> None:
        """Count what one block holds.

        Args:
            raw: As it was read.
            names: Of its columns, see `tasks.ingest.raw`.
            taken: Rows that are not left out.
        """
        self.given += Counter({name: raw.height - raw[name].null_count() for name in names})
        self.left_out += raw.height - taken

    def add(self, raw: pl.DataFrame, typed: pl.DataFrame, names: Mapping[str, str]) -> None:
        """Look at the rows of one block that are taken.

        Args:
            raw: As they were read, and what was made of them.
            typed: The same rows in any order, typed.
            names: Of the columns of ``raw`` that came from the source.
        """
        for name in names:
            if self.forms.get(name) == MIXED:
                continue
            if typed.schema.get(name) == pl.String:
                self._add_form(name, typed[name].drop_nulls())
            elif name in self._parts and raw.schema[name] == pl.String:
                self._add_form(name, raw[name].filter(raw[name].str.contains(_INK)))
        if not self.unread_time:
            unread = typed.filter(pl.col("problem") == not_one_value(self._time))["source_row"]
            came = raw.filter(pl.col("source_row").is_in(unread.implode()))
            texts = came.select(as_text(pl.col(self._time), raw.schema[self._time])).to_series().drop_nulls()
            self.unread_time = str(texts.first() or "")

    def _add_form(self, name: str, values: pl.Series) -> None:
        values = values.filter(~values.str.contains(_NOTHING))
        if values.is_empty():
            return
        own = _form(values)
        self.forms[name] = own if self.forms.get(name, own) == own else MIXED
        self.examples.setdefault(name, values[0])

    def described(self, columns: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """Return source column to its type, and of text to its form."""
        forms = {names[name]: form for name, form in self.forms.items()}
        return {column: forms.get(column, kind) if kind == TEXT else kind for column, kind in columns.items()}


def _form(values: pl.Series) -> str:
    for form, pattern in ((WHOLE_NUMBERS, _WHOLE_NUMBER), (FRACTIONS, _FRACTION)):
        if values.str.contains(pattern).all():
            return form
    return MIXED
