"""One file of table `images`, read in pieces: its labels counted, its pictures decoded. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from data_contracts.days import days_of
from data_contracts.table import Part, Table
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.images import IMAGES
from data_contracts.vision.pictures import NUMBERS, pixels
from data_contracts.vision.promises import LATER
from data_contracts.vision.twins import bands
from tasks.preprocess.labels import IS_DISPUTED, KNOWN_AT, Due, known, labelled
from tasks.preprocess.plan import Plan
from tasks.preprocess.taken import Taken
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.write import write_checked

IMAGES_AT_ONCE = 256
"""Encoded, while they are read."""
BYTES_OF_A_PART = 64 * 2**20
"""Pixels that one file of `examples` holds, about; they are in memory until it is written."""


class Order(NamedTuple):
    """What becomes of the images of one file.

    Attributes:
        due: The file.
        plan: Which window takes which day.
        day_zone: Zone whose days these are.
        folder: URI of the tables.
        name: Of the files to write, without ending and number.
        classes: Label to number.
        features: What they are made to.
    """

    due: Due
    plan: Plan
    day_zone: str
    folder: str
    name: str
    classes: Mapping[str, int]
    features: FeatureConfig


def count_labels(due: Due, day_zone: str) -> Counter[tuple[date, str]]:
    """Count by day the labels that the images of a file have for this night; those without one are not counted."""
    counts: Counter[tuple[date, str]] = Counter()
    for found in _labelled(due, ["image_id", "label", "seen_at"], IMAGES_AT_ONCE):
        told = found.rows.drop_nulls(KNOWN_AT).group_by(days_of(pl.col(KNOWN_AT), day_zone), "label").len()
        counts.update({(day, label): count for day, label, count in told.iter_rows()})
    return counts


def cut_file(order: Order) -> Taken:
    """Write the labelled images of a file as examples; the same file gives the same parts."""
    features, taken = order.features, Taken([])
    at_once = max(1, BYTES_OF_A_PART // (features.size**2 * NUMBERS[features.channels]))
    rows = min(IMAGES_AT_ONCE, at_once)
    held: list[pl.DataFrame] = []
    for found in _labelled(order.due, ["image", "image_id", "label", "seen_at", "subject_id", "source"], rows):
        told = found.rows.drop_nulls(KNOWN_AT)
        taken = taken._replace(
            read=taken.read + found.read,
            waiting=taken.waiting + found.rows.height - told.height,
            done=taken.done + found.read - found.rows.height,
            disputed=taken.disputed + int(told[IS_DISPUTED].sum()),
        )
        held.append(_decoded(told, order))
        if sum(map(len, held)) + rows > at_once:
            held = _write(held, order, taken.parts)
    _write(held, order, taken.parts)
    return taken


class _Piece(NamedTuple):
    """Some rows of a file: how many were read, and those that no night has done."""

    read: int
    rows: pl.DataFrame


def _labelled(due: Due, columns: list[str], rows: int) -> Iterator[_Piece]:
    found = known(due, LATER)
    for batch in _batches(due.file, columns, rows):
        yield _Piece(batch.num_rows, labelled(pl.LazyFrame(batch), found, due, LATER, "seen_at").collect())


def _batches(file: str, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    system, path = fsspec.url_to_fs(file)
    own = pa.schema([field for field in IMAGES.schema if field.name != IMAGES.partition_by])
    found = ds.dataset([path], schema=own, format="parquet", filesystem=system)
    yield from found.to_batches(columns=columns, batch_size=rows, batch_readahead=1, fragment_readahead=1)


def _decoded(images: pl.DataFrame, order: Order) -> pl.DataFrame:
    features = order.features
    made = [pixels(image, size=features.size, channels=features.channels) for image in images["image"]]
    keys = [order.plan.of(day) for day in images.select(days_of(pl.col(KNOWN_AT), order.day_zone)).to_series()]
    return pl.DataFrame(
        {
            "pixels": [each.tobytes() for each in made],
            "class_number": [order.classes[label] for label in images["label"]],
            "seen_at": images[KNOWN_AT],
            "window": keys,
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


def _write(held: list[pl.DataFrame], order: Order, parts: list[Part]) -> list[pl.DataFrame]:
    """Write what is held, if anything; nothing is held afterwards."""
    if held:
        name = f"{order.name}-{len(parts):03}"
        parts += write_checked(
            Table(order.folder, EXAMPLES), pl.concat(held), name, order.plan.window.last_day, order.day_zone
        )
    return []
