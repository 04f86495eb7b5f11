"""What the rows of one file say about its columns, beyond what its head says; gathered by blocks, and by pieces."""

from __future__ import annotations

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
    """Forms and examples of the columns that are read, and how many rows there are.

    Attributes:
        rows: Read, also those that are left out.
        given: Columns of a block that hold something.
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
        self.rows = self.left_out = 0
        self.given: set[str] = set()
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
        self.rows += raw.height
        self.given |= {name for name in names if raw[name].null_count() < raw.height}
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
                self._add_form(name, typed.select("source_row", name).drop_nulls(name))
            elif name in self._parts and raw.schema[name] == pl.String:
                self._add_form(name, raw.select("source_row", name).filter(pl.col(name).str.contains(_INK)))
        if not self.unread_time and typed["problem"].null_count() < typed.height:
            unread = typed.filter(pl.col("problem") == not_one_value(self._time))["source_row"]
            came = raw.filter(pl.col("source_row").is_in(unread.implode()))
            texts = came.select(as_text(pl.col(self._time), raw.schema[self._time])).to_series().drop_nulls()
            self.unread_time = str(texts.first() or "")

    def _add_form(self, name: str, rows: pl.DataFrame) -> None:
        rows = rows.filter(~pl.col(name).str.contains(_NOTHING))
        if rows.is_empty():
            return
        own = _form(rows[name])
        self.forms[name] = own if self.forms.get(name, own) == own else MIXED
        if name not in self.examples:
            self.examples[name] = rows.sort("source_row")[name][0]

    def __add__(self, later: Observed) -> Observed:
        """Return what both saw; the rows of ``later`` stand behind this one's."""
        both = Observed(self._time, self._parts)
        both.rows, both.left_out = self.rows + later.rows, self.left_out + later.left_out
        both.given = self.given | later.given
        both.forms = self.forms | later.forms
        for name in self.forms.keys() & later.forms.keys():
            both.forms[name] = self.forms[name] if self.forms[name] == later.forms[name] else MIXED
        both.examples = later.examples | self.examples
        both.unread_time = self.unread_time or later.unread_time
        return both

    def described(self, columns: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """Return source column to its type, and of text to its form."""
        forms = {names[name]: form for name, form in self.forms.items()}
        return {column: forms.get(column, kind) if kind == TEXT else kind for column, kind in columns.items()}


def _form(values: pl.Series) -> str:
    for form, pattern in ((WHOLE_NUMBERS, _WHOLE_NUMBER), (FRACTIONS, _FRACTION)):
        if values.str.contains(pattern).all():
            return form
    return MIXED
