"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`symbols` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import json
from datetime import date
from typing import get_args

import polars as pl

from data_contracts.language.documents import DOCUMENTS
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.symbols import SYMBOLS
from data_contracts.night import Night, Window
from data_contracts.table import Part, Table
from tasks.preprocess.language.config import FeatureConfig, Tokens
from tasks.preprocess.nights import Nights
from tasks.preprocess.plan import Plan
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.truth import refuse_lost_files

WINDOWS = "windows"
"""Note of a commit of `examples`: the keys of all windows so far, JSON. One may have no document at all."""


class Tables:
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.documents = Table(folder, DOCUMENTS)
        self.symbols = Table(folder, SYMBOLS)
        self.examples = Table(folder, EXAMPLES)
        self.nights = Nights(self.documents, first=self.symbols, last=self.examples)

    def due(self, documents: int) -> dict[str, int]:
        """Return the files with documents for a night, and their rows.

        Args:
            documents: Version of table `documents` that the night's window was opened with.

        Raises:
            OutOfOrderError: Files of the night before are there no more, so that nobody can tell which rows are new.
            RowsLostError: The files have other rows than validate counted.
        """
        refuse_lost_files(self.documents, documents)
        return self.nights.new_files(documents)

    def window(self, documents: int) -> Window:
        """Return the window that a version of `documents` was opened with."""
        first_day, last_day = (self.documents.mark(name, documents) for name in ("window_first", "window"))
        assert first_day is not None
        assert last_day is not None, "validate opens a window with the first rows"
        return Window(first_day=date.fromordinal(first_day), last_day=date.fromordinal(last_day))

    def numbered(self) -> pl.DataFrame:
        """Read ``symbol`` and ``symbol_number`` of every character that has a number."""
        return pl.DataFrame(self.symbols.read(columns=["symbol", "symbol_number"])).sort("symbol_number")

    def begin(self, parts: list[Part], documents: int, plan: Plan, features: FeatureConfig) -> None:
        """Commit a night's new characters, how it is planned, and what documents are made to."""
        marks = {**self.nights.beginning(documents, plan.window), "first": int(plan.first), **_made_with(features)}
        self.symbols.commit(parts, [self.nights.consumes(documents)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(window=self.nights.window, first=bool(self.symbols.mark("first")))

    def finish(self, parts: list[Part], documents: int) -> None:
        """Commit a night's examples."""
        windows = [*self.windows(), *self.plan().keys]
        notes = {WINDOWS: json.dumps(windows)}
        self.examples.commit(parts, [self.nights.consumes(documents)], marks=self.nights.end(documents), notes=notes)

    def windows(self) -> list[str]:
        """Return the keys of all windows that are done, oldest first."""
        keys: list[str] = json.loads(self.examples.note(WINDOWS) or "[]")
        return keys

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        versions = {table.contract.name: table.version() or 0 for table in (self.symbols, self.examples)}
        return Night(
            window=self.plan().window,
            windows=tuple(self.windows()),
            tables=versions | {"documents": self.nights.done or 0},
        )

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        refuse_other_features(self.symbols, _made_with(features))


def _made_with(features: FeatureConfig) -> dict[str, int]:
    """Return features as marks."""
    return {"tokens": get_args(Tokens).index(features.tokens)}
