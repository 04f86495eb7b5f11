"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`classes` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import polars as pl

from data_contracts.table import Part
from data_contracts.vision.pictures import NUMBERS
from data_contracts.vision.promises import PROMISES
from tasks.preprocess.labelled_tables import LabelledTables
from tasks.preprocess.plan import Plan
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.vision.config import FeatureConfig


class Tables(LabelledTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder, PROMISES)

    def numbered(self) -> pl.DataFrame:
        """Read ``label`` and ``class_number`` of every class."""
        return pl.DataFrame(self.first.read(columns=["label", "class_number"]))

    def begin(self, parts: list[Part], images: int, plan: Plan, features: FeatureConfig) -> None:
        """Commit a night's new classes, how it is planned, and what images are made to."""
        self.commit_first(parts, images, plan, _made_with(features))

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        refuse_other_features(self.first, _made_with(features))


def _made_with(features: FeatureConfig) -> dict[str, int]:
    """Return features as marks; channels are the numbers that a pixel has."""
    return {"size": features.size, "channels": NUMBERS[features.channels], "label_days": features.label_days}
