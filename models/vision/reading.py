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
from models.reading import fragments, pieces

IMAGES_AT_ONCE = 512
"""Read, and judged, together: at most, however small they are."""
LEARNED = ("pixels", "class_number")
"""Columns that are learned from."""
BREADTH = 4
"""Images of older windows are drawn from row groups that hold so many times as many."""


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
    return pieces(_dataset(tables), windows, columns, IMAGES_AT_ONCE)


def count_classes(tables: TablesAt, windows: Sequence[str], classes_in_all: int) -> NDArray[np.int64]:
    """Count the examples of each class, (classes_in_all,)."""
    counts = np.zeros(classes_in_all, np.int64)
    for batch in batches(tables, windows, ["class_number"]):
        counts += np.bincount(classes(batch), minlength=classes_in_all)
    return counts


def drawn(
    tables: TablesAt,
    windows: Sequence[str],
    rows: int,
    *,
    seed: int,
    night: str,
    columns: Sequence[str] = LEARNED,
) -> Iterator[pa.Table]:
    """Draw examples of ``windows`` without replacement, of each as its share of them all; a row group at a time.

    Args:
        tables: Where, and which versions.
        windows: Keys of the windows drawn from.
        rows: How many; fewer come when there are fewer.
        seed: With ``night`` it decides which.
        night: Key of the newest window that is known.
        columns: Read of them.
    """
    random, dataset = np.random.default_rng([seed, *night.encode()]), _dataset(tables)
    files = {window: fragments(dataset, window) for window in sorted(windows)}
    ends = np.cumsum([0, *(sum(each.count_rows() for each in own) for own in files.values())])
    quotas = np.diff(ends * min(rows, ends[-1]) // max(ends[-1], 1))
    for own, quota in zip(files.values(), quotas.tolist(), strict=True):
        for group, places in _places(own, quota, random):
            yield group.to_table(schema=dataset.schema, columns=list(columns)).take(pa.array(places))


def _places(
    fragments: Sequence[ds.ParquetFileFragment], quota: int, random: np.random.Generator
) -> Iterator[tuple[ds.ParquetFileFragment, NDArray[np.int64]]]:
    """Draw from one window: yield row groups, and which of their rows."""
    groups = [group for fragment in fragments for group in fragment.split_by_row_group()] if quota else []
    sizes = np.array([group.row_groups[0].num_rows for group in groups], np.int64)
    order = random.permutation(len(groups))
    chosen = order[: np.searchsorted(np.cumsum(sizes[order]), BREADTH * quota) + 1]
    ends = np.cumsum(sizes[chosen])
    places = np.sort(random.choice(ends[-1], size=quota, replace=False)) if quota else np.empty(0, np.int64)
    for number, end in zip(chosen, ends, strict=True):
        own = places[(places >= end - sizes[number]) & (places < end)] - (end - sizes[number])
        if len(own):
            yield groups[number], own


def _dataset(tables: TablesAt) -> ds.Dataset:
    return Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])
