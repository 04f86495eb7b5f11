"""One file of table `images`, read in pieces: its labels counted, its pictures decoded. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import NamedTuple

import polars as pl

from data_contracts.days import days_of
from data_contracts.vision.pictures import NUMBERS, pixels
from data_contracts.vision.promises import PROMISES
from data_contracts.vision.twins import bands
from tasks.preprocess.labels import KNOWN_AT, Due
from tasks.preprocess.pieces import BYTES_OF_A_PART, Destination, cut, pieces
from tasks.preprocess.taken import Taken
from tasks.preprocess.vision.config import FeatureConfig

IMAGES_AT_ONCE = 256
"""Encoded, while they are read."""


class Order(NamedTuple):
    """What becomes of the images of one file.

    Attributes:
        due: The file.
        to: Where its examples go.
        classes: Label to number.
        features: What they are made to.
    """

    due: Due
    to: Destination
    classes: Mapping[str, int]
    features: FeatureConfig


def count_labels(due: Due, day_zone: str) -> Counter[tuple[date, str]]:
    """Count by day the labels that the images of a file have for this night; those without one are not counted."""
    counts: Counter[tuple[date, str]] = Counter()
    for found in pieces(due, PROMISES, ["image_id", "label", "seen_at"], IMAGES_AT_ONCE):
        told = found.rows.drop_nulls(KNOWN_AT).group_by(days_of(pl.col(KNOWN_AT), day_zone), "label").len()
        counts.update({(day, label): count for day, label, count in told.iter_rows()})
    return counts


def cut_file(order: Order) -> Taken:
    """Write the labelled images of a file as examples; the same file gives the same parts."""
    features = order.features
    at_once = max(1, BYTES_OF_A_PART // (features.size**2 * NUMBERS[features.channels]))
    columns = ["image", "image_id", "label", "seen_at", "subject_id", "source"]
    found = pieces(order.due, PROMISES, columns, min(IMAGES_AT_ONCE, at_once))
    return cut(found, partial(_decoded, order=order), order.to)


def _decoded(images: pl.DataFrame, order: Order) -> pl.DataFrame:
    features = order.features
    made = [pixels(image, size=features.size, channels=features.channels) for image in images["image"]]
    return pl.DataFrame(
        {
            "pixels": [each.tobytes() for each in made],
            "class_number": [order.classes[label] for label in images["label"]],
            "seen_at": images[KNOWN_AT],
            "window": order.to.windows(images),
            "subject_id": images["subject_id"],
            "source": images["source"],
            "bands": [bands(each) for each in made],
        },
        schema_overrides={
            "pixels": pl.Binary,
            "class_number": pl.Int32,
            "window": pl.String,
            "bands": pl.List(pl.Int64),
        },
    )
