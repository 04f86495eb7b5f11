"""The tables that preprocess writes, and what their commits remember about the nights that made them.

A night commits to `classes` first and to `examples` last; both commits consume ``images@<version>``. So `classes` says
which night was begun and how it was planned, `examples` which one is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

import polars as pl

from data_contracts.night import Night, Window
from data_contracts.table import Part, Table
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES, UNLABELLED
from data_contracts.vision.images import IMAGES
from data_contracts.vision.labels import LABELS
from data_contracts.vision.pictures import NUMBERS
from tasks.preprocess.errors import NoNewEventsError, OtherFeaturesError, OutOfOrderError
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.truth import refuse_lost_files
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.vision.plan import Plan

WINDOWS = "windows"
"""Note of a commit of `examples`: the keys of all windows so far, JSON. One may have no labelled image at all."""


class Tables:
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

    @property
    def begun(self) -> int | None:
        """Version of `images` that the newest night began with."""
        return self.classes.mark("images")

    @property
    def done(self) -> int | None:
        """Version of `images` that the newest finished night took."""
        return self.examples.mark("images")

    def unfinished(self, images: int, label_days: int) -> Iterator[int]:
        """Yield the nights to build, oldest first: one that was broken off, and the one that takes ``images``.

        Each is asked for when the one before is done.

        Raises:
            OutOfOrderError: The tables have a newer version already; or see `due`.
            NoNewEventsError: There is nothing to make the first features of.
        """
        if self.begun is not None and images < self.begun:
            raise OutOfOrderError(
                f"{self.images.uri}: version {images} was asked for, but the tables have version {self.begun} already. "
                "No features were published. Start the night again: it takes the newest version."
            )
        for night in sorted({images if self.begun is None else self.begun, images}):
            if night != self.done and self.due(night, label_days):
                yield night
        if self.done is None:
            raise NoNewEventsError(
                f"{self.images.uri}: version {images} holds no rows. No features were published. Take more days."
            )

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
        return due_files(self.images, self.labels, self.done, images, label_days)

    def window(self, images: int) -> Window:
        """Return the window that a version of `images` was opened with."""
        first_day, last_day = (self.images.mark(name, images) for name in ("window_first", "window"))
        assert first_day is not None
        assert last_day is not None, "validate opens a window with the first rows"
        return Window(first_day=date.fromordinal(first_day), last_day=date.fromordinal(last_day))

    def day(self, file: str) -> date:
        """Return the day of a file of `images`."""
        return date.fromisoformat(self.images.partition_of(file))

    def numbered(self) -> pl.DataFrame:
        """Read ``label`` and ``class_number`` of every class."""
        return pl.DataFrame(self.classes.read(columns=["label", "class_number"]))

    def begin(self, parts: list[Part], images: int, plan: Plan) -> None:
        """Commit a night's new classes, and how it is planned."""
        first_day, last_day = plan.window.first_day.toordinal(), plan.window.last_day.toordinal()
        marks = {"images": images, "first_day": first_day, "last_day": last_day, "first": int(plan.first)}
        self.classes.commit(parts, [consumes(images)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        first_day, last_day = (date.fromordinal(self.classes.mark(name) or 0) for name in ("first_day", "last_day"))
        window = Window(first_day=first_day, last_day=last_day)
        return Plan(window=window, first=bool(self.classes.mark("first")))

    def finish(self, parts: list[Part], images: int, features: FeatureConfig, unlabelled: int) -> None:
        """Commit a night's examples."""
        windows = [*self.windows(), *self.plan().keys]
        made = {"size": features.size, "numbers": NUMBERS[features.channels], "label_days": features.label_days}
        marks = {"images": images, **made, UNLABELLED: unlabelled}
        self.examples.commit(parts, [consumes(images)], marks=marks, notes={WINDOWS: json.dumps(windows)})

    def windows(self) -> list[str]:
        """Return the keys of all windows that are done, oldest first."""
        keys: list[str] = json.loads(self.examples.note(WINDOWS) or "[]")
        return keys

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        versions = {table.contract.name: table.version() or 0 for table in (self.images, self.classes, self.examples)}
        return Night(
            window=self.plan().window, windows=tuple(self.windows()), tables=versions | {"images": self.done or 0}
        )

    def refuse_other(self, features: FeatureConfig) -> None:
        """Refuse features that the tables were not made with.

        Raises:
            OtherFeaturesError: Every difference.
        """
        wanted = {
            "size": features.size,
            "numbers": NUMBERS[features.channels],
            "label_days": features.label_days,
        }
        names = {
            "size": "features.size",
            "numbers": "numbers a pixel (features.channels)",
            "label_days": "features.label_days",
        }
        found = {name: self.examples.mark(name) for name in wanted}
        listed = [
            f"{names[name]}: the tables have {found[name]}, the settings say {wanted[name]}"
            for name in wanted
            if found[name] not in (None, wanted[name])
        ]
        if listed:
            raise OtherFeaturesError(
                f"{self.examples.uri} was made with other features: {'; '.join(listed)}. No features were published. "
                "Give these images a name (and so tables) of their own, or set it back."
            )


def consumes(images: int) -> str:
    """Return the application transaction of a night that takes this version of `images`."""
    return f"images@{images}"
