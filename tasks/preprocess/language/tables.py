"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`symbols` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

from typing import get_args

import polars as pl

from data_contracts.language.documents import DOCUMENTS
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.symbols import SYMBOLS, spelled
from data_contracts.table import Part, Table
from tasks.preprocess.language.config import FeatureConfig, Tokens
from tasks.preprocess.plan import Plan
from tasks.preprocess.planned import PlannedTables
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.truth import refuse_lost_files

TOKENS: tuple[str, ...] = get_args(Tokens)


class Tables(PlannedTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.documents = Table(folder, DOCUMENTS)
        self.symbols = Table(folder, SYMBOLS)
        self.examples = Table(folder, EXAMPLES)
        super().__init__(self.documents, self.symbols, self.examples)

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

    def numbered(self) -> pl.DataFrame:
        """Read ``symbol`` and ``symbol_number`` of every symbol that has a number of its own."""
        return pl.DataFrame(self.symbols.read(columns=["symbol", "symbol_number"])).sort("symbol_number")

    def spelled(self) -> tuple[str, ...]:
        """Read what `data_contracts.language.spelling.spelling` takes."""
        return spelled(self.symbols.read())

    def begin(self, parts: list[Part], documents: int, plan: Plan, features: FeatureConfig) -> None:
        """Commit a night's new symbols, how it is planned, and what documents are made to."""
        self.commit_first(parts, documents, plan, _made_with(features))

    def finish(self, parts: list[Part], documents: int) -> None:
        """Commit a night's examples."""
        self.commit_last(parts, documents)

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        refuse_other_features(self.symbols, _made_with(features), {"tokens": TOKENS})


def _made_with(features: FeatureConfig) -> dict[str, int]:
    """Return features as marks."""
    own = {} if features.vocabulary is None else {"vocabulary": features.vocabulary}
    return {"tokens": TOKENS.index(features.tokens), **own}
