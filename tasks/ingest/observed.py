"""What the rows of one file say about its columns, beyond what its head says; gathered block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

from tasks.ingest.columns import TEXT
from tasks.ingest.raw import as_text, not_one_value

WHOLE_NUMBERS, FRACTIONS, MIXED = "whole numbers", "fractions", "text"
"""How all ids of a column of text are written: ``3``; ``3.0`` or ``1e+16``; otherwise."""

_NOTHING = r"^(?i:[+-]?nan|none|null|\(null\)|nil|undefined|<?n/?a>?|#n/?a(?: n/a)?|\\n|-+|\?)$"
"""What writers put for an id that is missing. It says nothing about the others."""
_WHOLE_NUMBER = "^[+-]?[0-9]+$"
_FRACTION = r"^[+-]?[0-9]+(?:\.0+|\.?[0-9]*[eE]\+?[0-9]+)$"


class Observed:
    """Counts, forms and examples of the columns that are read.

    Attributes:
        given: Contract column to the rows in which it holds something.
        forms: Contract column of text to how its values are written, where there are any.
        examples: The same to one of these values.
        unread_time: The first time that cannot be read, as it came; empty without.
    """

    def __init__(self, time_column: str) -> None:
        self._time = time_column
        self.given: Counter[str] = Counter()
        self.forms: dict[str, str] = {}
        self.examples: dict[str, str] = {}
        self.unread_time = ""

    def add(self, raw: pl.DataFrame, typed: pl.DataFrame, names: Mapping[str, str]) -> None:
        """Look at one block.

        Args:
            raw: As it was read.
            typed: The same rows in any order, typed.
            names: Contract column to source column, for those in ``raw``.
        """
        self.given += Counter({name: raw.height - raw[name].null_count() for name in names})
        for name in names:
            if typed.schema[name] == pl.String and self.forms.get(name) != MIXED:
                self._add_form(name, typed[name].drop_nulls())
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
