"""Which numbers new classes get: plain rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

import polars as pl

from data_contracts.vision.classes import CLASSES, MAX_CLASSES
from tasks.preprocess.errors import PreprocessError
from tasks.preprocess.plan import Plan

Labels = Mapping[date, Counter[str]]
"""Day to its labels and how often each was given."""


class TooManyClassesError(PreprocessError):
    """Labels are of more kinds than anybody could learn."""


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
