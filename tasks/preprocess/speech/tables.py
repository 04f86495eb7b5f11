"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`symbols` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import polars as pl

from data_contracts.speech.promises import PROMISES
from data_contracts.table import Part
from tasks.preprocess.labelled_tables import LabelledTables
from tasks.preprocess.plan import Plan
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.speech.config import FeatureConfig


class Tables(LabelledTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder, PROMISES)

    def numbered(self) -> pl.DataFrame:
        """Read ``symbol`` and ``symbol_number`` of every character that has a number."""
        return pl.DataFrame(self.first.read(columns=["symbol", "symbol_number"])).sort("symbol_number")

    def begin(self, parts: list[Part], recordings: int, plan: Plan, features: FeatureConfig) -> None:
        """Commit a night's new characters, how it is planned, and what recordings are made to."""
        self.commit_first(parts, recordings, plan, features.model_dump())

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        refuse_other_features(self.first, features.model_dump())
