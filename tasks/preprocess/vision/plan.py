"""Into which windows a night's new images fall, and which numbers new classes get: plain rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from data_contracts.night import HeldOut, Value, Window
from data_contracts.vision.classes import CLASSES, MAX_CLASSES
from tasks.preprocess.errors import PreprocessError, TooFewTargetsError

Labels = Mapping[date, Counter[str]]
"""Day to its labels and how often each was given."""


class TooManyClassesError(PreprocessError):
    """Labels are of more kinds than anybody could learn."""


class Plan(Value):
    """How a night's new images are spread over windows; decided once, when it begins.

    Attributes:
        window: The newest window, which judges.
        first: Whether it is the first night, which cuts a past off.
    """

    window: Window
    first: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of this night's windows, oldest first."""
        return tuple(dict.fromkeys([self.of(self.window.first_day - timedelta(days=1)), self.window.key]))

    def of(self, day: date) -> str:
        """Return the key of the window that takes the images of a day; what came late is the newest window's."""
        if self.first and day < self.window.first_day:
            return (self.window.first_day - timedelta(days=1)).isoformat()
        return self.window.key


def hold_out_end(labels: Labels, window: Window, held_out: HeldOut) -> Window:
    """Hold out whole days, counted back from the end of the first window until they are enough to judge.

    Args:
        labels: Of all images.
        window: All days of the first night.
        held_out: What is enough.

    Raises:
        TooFewTargetsError: No cut leaves enough in the end and a labelled image in the past.
    """
    wanted, held = max(held_out.min_targets, held_out.min_units), 0
    total = sum(counts.total() for counts in labels.values())
    for day in sorted(labels, reverse=True):
        held += labels[day].total()
        if held >= wanted and held < total:
            return Window(first_day=day, last_day=window.last_day)
        if held >= wanted:
            break
    raise TooFewTargetsError(
        f"The first night cuts its images into a past and an end that judges; these are too few for that. Seen "
        f"{window}: {total:,} labelled images on {len(labels):,} days. Wanted at the end whole days with {wanted:,} "
        "labelled images, and at least one in the days before. No features were published. Bring more days of labelled "
        "images, or lower held_out.min_targets and held_out.min_units."
    )


def number_classes(labels: Labels, plan: Plan, known: pl.DataFrame) -> pl.DataFrame:
    """Give the next numbers to labels that have none yet.

    Args:
        labels: Of the night's new images.
        plan: Says which window a day is in.
        known: ``label``, ``class_number`` of every class that has a number.

    Returns:
        Rows to add to table `classes`, by (first window, label as UTF-8 bytes): so the classes that were known before a
        window are those with the lowest numbers.

    Raises:
        TooManyClassesError: There are more labels than `MAX_CLASSES`.
    """
    met = [(label, plan.of(day)) for day, counts in labels.items() for label in counts]
    new = (
        pl.DataFrame(met, schema={"label": pl.String, "first_window": pl.String}, orient="row")
        .join(known, on="label", how="anti")
        .group_by("label")
        .agg(pl.col("first_window").min())
        .sort("first_window", "label")
        .with_row_index("class_number", offset=known.height)
        .select("label", pl.col("class_number").cast(pl.Int32), "first_window")
    )
    if known.height + new.height > MAX_CLASSES:
        raise TooManyClassesError(
            f"{known.height + new.height:,} different labels, wanted {MAX_CLASSES:,} at most, e.g. "
            f"{new['label'].head(3).to_list()}. No features were published. Is another column the label? Set "
            "source.columns or labels.columns, and validation.allowed to the labels that there are."
        )
    assert new.columns == CLASSES.schema.names
    return new
