"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`classes` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import polars as pl

from data_contracts.table import Part, Table
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.images import IMAGES
from data_contracts.vision.labels import LABELS
from data_contracts.vision.pictures import NUMBERS
from data_contracts.waiting import Waiting
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.plan import Plan
from tasks.preprocess.planned import PlannedTables
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.truth import refuse_lost_files
from tasks.preprocess.vision.config import FeatureConfig


class Tables(PlannedTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.images = Table(folder, IMAGES)
        self.labels = Table(folder, LABELS)
        self.classes = Table(folder, CLASSES)
        self.examples = Table(folder, EXAMPLES)
        super().__init__(self.images, self.classes, self.examples)

    def due(self, images: int, label_days: int) -> list[Due]:
        """Return the files with images for a night, see `tasks.preprocess.labels.due_files`.

        Args:
            images: Version of table `images` that the night's window was opened with.
            label_days: See `FeatureConfig`.

        Raises:
            OutOfOrderError: Files of the night before are there no more, so that nobody can tell which rows are new.
            RowsLostError: The files have other rows than validate counted.
        """
        refuse_lost_files(self.images, images)
        return due_files(self.images, self.labels, self.nights.done, images, label_days)

    def has_due(self, images: int, label_days: int) -> bool:
        """Whether there are any such."""
        return bool(self.due(images, label_days))

    def numbered(self) -> pl.DataFrame:
        """Read ``label`` and ``class_number`` of every class."""
        return pl.DataFrame(self.classes.read(columns=["label", "class_number"]))

    def begin(self, parts: list[Part], images: int, plan: Plan, features: FeatureConfig) -> None:
        """Commit a night's new classes, how it is planned, and what images are made to."""
        self.commit_first(parts, images, plan, _made_with(features))

    def finish(self, parts: list[Part], images: int, waiting: Waiting) -> None:
        """Commit a night's examples."""
        self.commit_last(parts, images, waiting.model_dump())

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        refuse_other_features(self.classes, _made_with(features))


def _made_with(features: FeatureConfig) -> dict[str, int]:
    """Return features as marks; channels are the numbers that a pixel has."""
    return {"size": features.size, "channels": NUMBERS[features.channels], "label_days": features.label_days}
