"""What training and judging read of the tables: in pieces, always in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from data_contracts.job import Config, TablesAt
from data_contracts.table import Table
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.pictures import NUMBERS, Pixels
from models.reading import pieces

IMAGES_AT_ONCE = 512
"""Read, and judged, together: at most, however small they are."""
LEARNED = ("pixels", "class_number")
"""Columns that are learned from."""


class Form(NamedTuple):
    """What every image is made to.

    Attributes:
        size: Height and width.
        channels: Numbers a pixel has.
    """

    size: int
    channels: int

    @classmethod
    def of(cls, features: Config) -> Form:
        """Return what the settings of features say."""
        size, (channels,) = features["size"], [NUMBERS[name] for name in NUMBERS if name == features["channels"]]
        assert isinstance(size, int)
        return cls(size, channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.size, self.size, self.channels

    def pixels(self, batch: pa.RecordBatch | pa.Table) -> Pixels:
        """Return column ``pixels``, uint8 (B, H, W, C); the array may not be written to."""
        return np.frombuffer(b"".join(batch["pixels"].to_pylist()), np.uint8).reshape(-1, *self.shape)


def classes(batch: pa.RecordBatch | pa.Table) -> NDArray[np.int64]:
    """Return column ``class_number``, (B,)."""
    numbers: NDArray[np.int64] = batch["class_number"].to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def labels(tables: TablesAt, windows: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the label of every class, by number; if ``windows`` are given, of those alone that were first met there.

    Args:
        tables: Where, and which versions.
        windows: Up to one: the classes of later ones have higher numbers.
    """
    rows = pl.DataFrame(Table(tables.folder, CLASSES).read(tables.versions[CLASSES.name])).sort("class_number")
    known = rows if windows is None else rows.filter(pl.col("first_window").is_in(list(windows)))
    return tuple(known["label"])


def batches(tables: TablesAt, windows: Sequence[str], columns: Sequence[str] = LEARNED) -> Iterator[pa.RecordBatch]:
    """Yield the examples of some windows, window by window, `IMAGES_AT_ONCE` at a time at most."""
    return pieces(dataset_of(tables), windows, columns, IMAGES_AT_ONCE)


def count_classes(tables: TablesAt, windows: Sequence[str], classes_in_all: int) -> NDArray[np.int64]:
    """Count the examples of each class, (classes_in_all,)."""
    counts = np.zeros(classes_in_all, np.int64)
    for batch in batches(tables, windows, ["class_number"]):
        counts += np.bincount(classes(batch), minlength=classes_in_all)
    return counts


def dataset_of(tables: TablesAt) -> ds.Dataset:
    """Return the examples."""
    return Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])
