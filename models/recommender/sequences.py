"""From Arrow lists to padded tensors, without a Python step per row. Shape letters: B rows, L positions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.recommender.config import RecommenderConfig
from models.recommender.moments import LAST, Draw
from models.recommender.network import inputs_of
from models.recommender.times import times

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PARTS = ("item", "time", "learned", "offset", "window")
_HEAD_BYTES = 128
"""Of a ``.npy`` file without a number in it."""


@dataclass(frozen=True)
class Sequences:
    """Many users' items laid end to end.

    Attributes:
        item: Item numbers of all rows, oldest first within a row, int64.
        time: When each was met, microseconds since 1970, beside ``item``, int64; ascending within a row.
        learned: Whether the item is a target that counts, beside ``item``.
        offset: Where each row starts; one more at the end, int64 (rows + 1,).
        window: From which window each row is, as its place in a list of them, int32 (rows,).
    """

    item: Numbers
    time: Numbers
    learned: Flags
    offset: Numbers
    window: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offset) - 1

    @classmethod
    def of(cls, examples: pa.Table, item_counts: Numbers, config: RecommenderConfig, windows: tuple[str, ...]) -> Self:
        """Join context and target of every example, and drop what is not learned.

        Args:
            examples: Columns `models.recommender.replay.COLUMNS`, but ``user_id``.
            item_counts: Events of each item in the windows that the model may know, (N + 1,); others are left out.
            config: Which targets count, and which items are too rare.
            windows: All that examples are from.

        Returns:
            Only rows with a target that counts. A target without anything before it does not; where seen items
            are excluded, neither does a repeat: the model is judged on first meetings, and so it learns them.
        """
        context_length = pc.list_value_length(examples["context"]).to_numpy().astype(np.int64)
        length = context_length + pc.list_value_length(examples["target"]).to_numpy()
        offset = _starts(length)
        row = np.repeat(np.arange(len(length)), length)
        is_target = np.arange(len(row)) - offset[row] >= context_length[row]
        item = np.empty(len(row), np.int64)
        item[~is_target] = pc.list_flatten(examples["context"]).to_numpy()
        item[is_target] = pc.list_flatten(examples["target"]).to_numpy()
        learned = is_target.copy()
        if config.target_events:
            kinds = pa.array(config.target_events, pa.string())
            learned[is_target] = pc.is_in(pc.list_flatten(examples["target_event"]), kinds).to_numpy()
        count = np.append(item_counts, 0)[np.minimum(item, len(item_counts))]  # 0 for items that it may not know
        kept = count >= config.min_item_count
        offset = _starts(np.bincount(row[kept], minlength=len(length)))
        item, time, learned, row = item[kept], _times(examples, is_target)[kept], learned[kept], row[kept]
        if config.exclude_seen:
            learned &= _first_in_row(item, row)
        learned[offset[:-1][np.diff(offset) > 0]] = False
        window = pc.index_in(examples["window"], pa.array(windows, pa.string())).to_numpy()
        sequences = cls(item, time, learned, offset, window)
        return sequences.take(np.flatnonzero(sequences.targets()))

    def write(self, folder: Path) -> None:
        """Write it into ``folder``, which is made."""
        folder.mkdir()
        for name in _PARTS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what was written into memory, which processes of one host share; the files may be removed then."""
        return cls(*(_mapped(folder / f"{name}.npy") for name in _PARTS))

    def lengths(self) -> Numbers:
        """Count the items of each row."""
        return np.diff(self.offset)

    def targets(self) -> Numbers:
        """Count the targets of each row."""
        counts, filled = np.zeros(len(self), np.int64), self.lengths() > 0
        counts[filled] = np.add.reduceat(self.learned, self.offset[:-1][filled], dtype=np.int64)
        return counts

    def take(self, rows: Numbers) -> Self:
        """Return these rows, in this order."""
        return self._cut(self.offset[:-1][rows], self.lengths()[rows], self.window[rows])

    def shortened(self, context: int) -> Self:
        """Return what is left when so many items, at most, come before each row's first target; all rows have one."""
        first = np.flatnonzero(self.learned)[_starts(self.targets())[:-1]]
        start = np.maximum(first - context, self.offset[:-1])
        return self._cut(start, self.offset[1:] - start, self.window)

    def _cut(self, start: Numbers, length: Numbers, window: NDArray[np.int32]) -> Self:
        offset = _starts(length)
        where = np.arange(offset[-1]) + np.repeat(start - offset[:-1], length)
        return type(self)(self.item[where], self.time[where], self.learned[where], offset, window)

    def padded(
        self, rows: Numbers, *, count: int = 1, length: int = 1, draw: Draw | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pad rows on the right to the longest of them.

        Args:
            rows: Which, in order.
            count: Rows of the result, at least: the rest are padding. A process without a share of a batch has one such
                row, as it must still meet the others after its backward pass.
            length: Positions of the result, at least.
            draw: Decides in what order items stand that were met at one moment; as in the tables when None.

        Returns:
            What was met, int64 (B, L, 2), and, one step ahead of it, targets, int64 (B, L); 0 where there is none.
        """
        own = self.lengths()[rows]
        position = np.arange(max(own.max(initial=2), length + 1))
        is_there = position < own[:, None]
        where = np.where(is_there, self.offset[:-1][rows, None] + position, 0)
        time = np.where(is_there, self.time[where], LAST)
        if draw is not None:
            where = np.take_along_axis(where, draw.order(rows, self.item[where], time), axis=1)
        item = np.where(is_there, self.item[where], 0)
        target = item[:, 1:] * self.learned[where[:, 1:]]
        inputs = np.where(position[:-1] < own[:, None] - 1, item[:, :-1], 0)
        missing = ((0, max(count - len(rows), 0)), (0, 0))
        second = time[:, :-1] // 1_000_000
        parts = (torch.from_numpy(np.pad(part, missing)) for part in (inputs, second, target))
        input_BL, second_BL, target_BL = parts
        return inputs_of(input_BL, second_BL), target_BL


def _mapped(path: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > _HEAD_BYTES else None)
    return found


def _times(examples: pa.Table, is_target: Flags) -> Numbers:
    context, target = examples["context_timestamp"], examples["target_timestamp"]
    if not context.null_count:
        time = np.empty(len(is_target), np.int64)
        time[~is_target], time[is_target] = (
            pc.list_flatten(each).cast(pa.int64()).to_numpy() for each in (context, target)
        )
        return time
    lists = pl.DataFrame(examples.select(["context", "context_timestamp", "target_timestamp"]))
    known: Numbers = lists.select(times().explode().dt.epoch("us")).to_series().to_numpy()
    return known


def _starts(length: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(length, dtype=np.int64)])


def _first_in_row(item: Numbers, row: Numbers) -> Flags:
    """Mark the first of equal items in each row."""
    first = np.zeros(len(item), bool)
    if len(item):
        first[np.unique(row * (item.max() + 1) + item, return_index=True)[1]] = True
    return first
