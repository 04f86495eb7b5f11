"""One file of table `images`, read in pieces: its labels counted, its pictures decoded. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from data_contracts.table import Part, Table
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.images import IMAGES
from data_contracts.vision.pictures import NUMBERS, pixels
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.write import write_checked

IMAGES_AT_ONCE = 256
"""Encoded, while they are read."""
BYTES_OF_A_PART = 64 * 2**20
"""Pixels that one file of `examples` holds, about; they are in memory until it is written."""


class Order(NamedTuple):
    """What becomes of the images of one file.

    Attributes:
        file: URI.
        window: Key of the window that takes them.
        through: Last day of the night's newest window.
        day_zone: Zone whose day that is.
        folder: URI of the tables.
        name: Of the files to write, without ending and number.
        classes: Label to number.
        features: What they are made to.
    """

    file: str
    window: str
    through: date
    day_zone: str
    folder: str
    name: str
    classes: Mapping[str, int]
    features: FeatureConfig


class Cut(NamedTuple):
    """What became of them.

    Attributes:
        parts: Files of `examples` that nobody sees before their commit.
        labelled: Images in these.
        unlabelled: Images that nobody said the class of.
    """

    parts: list[Part]
    labelled: int
    unlabelled: int


def count_labels(file: str) -> Counter[str]:
    """Count the labels in a file; images without one are not counted."""
    counts: Counter[str] = Counter()
    for batch in _batches(file, ["label"], IMAGES_AT_ONCE):
        for run in pc.value_counts(batch["label"].drop_null()):
            counts[run["values"].as_py()] += run["counts"].as_py()
    return counts


def cut_file(order: Order) -> Cut:
    """Write the labelled images of a file as examples; the same file gives the same parts."""
    features, cut = order.features, Cut([], 0, 0)
    at_once = max(1, BYTES_OF_A_PART // (features.size**2 * NUMBERS[features.channels]))
    rows = min(IMAGES_AT_ONCE, at_once)
    held: list[pl.DataFrame] = []
    for batch in _batches(order.file, ["image", "label", "seen_at"], rows):
        labelled = batch.filter(pc.is_valid(batch["label"]))
        cut = cut._replace(
            labelled=cut.labelled + labelled.num_rows, unlabelled=cut.unlabelled + batch.num_rows - labelled.num_rows
        )
        held.append(_decoded(labelled, order))
        if sum(map(len, held)) + rows > at_once:
            held = _write(held, order, cut.parts)
    _write(held, order, cut.parts)
    return cut


def _batches(file: str, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    system, path = fsspec.url_to_fs(file)
    own = pa.schema([field for field in IMAGES.schema if field.name != IMAGES.partition_by])
    found = ds.dataset([path], schema=own, format="parquet", filesystem=system)
    yield from found.to_batches(columns=columns, batch_size=rows, batch_readahead=1, fragment_readahead=1)


def _decoded(images: pa.RecordBatch, order: Order) -> pl.DataFrame:
    features = order.features
    made = [
        pixels(image.as_py(), size=features.size, channels=features.channels).tobytes() for image in images["image"]
    ]
    numbers = [order.classes[label] for label in images["label"].to_pylist()]
    return pl.DataFrame(
        {"pixels": made, "class_number": numbers, "seen_at": pl.Series(pl.from_arrow(images["seen_at"]))},
        schema_overrides={"pixels": pl.Binary, "class_number": pl.Int32},
    ).with_columns(window=pl.lit(order.window))


def _write(held: list[pl.DataFrame], order: Order, parts: list[Part]) -> list[pl.DataFrame]:
    """Write what is held, if anything; nothing is held afterwards."""
    if held:
        name = f"{order.name}-{len(parts):03}"
        parts += write_checked(Table(order.folder, EXAMPLES), pl.concat(held), name, order.through, order.day_zone)
    return []
