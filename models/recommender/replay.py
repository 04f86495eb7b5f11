"""Replay: some examples of every older window, so that what the champion learned from them is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

COLUMNS = ["user_id", "context", "context_timestamp", "target", "target_event", "target_timestamp", "window"]
"""What a training reads of `examples`."""
BREADTH = 4
"""Examples of a window are drawn from so many times as many, read as whole row groups."""


def draw(dataset: ds.Dataset, windows: tuple[str, ...], rows: int, *, seed: int, night: str) -> pa.Table:
    """Draw examples of ``windows`` without replacement, of each as its share of them all.

    Args:
        dataset: Table `examples` at one version.
        windows: Keys of the windows drawn from.
        rows: How many; fewer come back when there are fewer.
        seed: With ``night`` and the table's version it decides which.
        night: Key of the newest window that is known.

    Returns:
        Rows of each window, from a few of its row groups, chosen at random.
    """
    random = np.random.default_rng([seed, *night.encode()])
    fragments = {window: _fragments(dataset, window) for window in random.permutation(sorted(windows)).tolist()}
    counts = [sum(each.count_rows() for each in own) for own in fragments.values()]
    shares = zip(fragments.values(), quotas(counts, rows), strict=True)
    drawn = [_draw(dataset.schema, own, quota, random) for own, quota in shares]
    return pa.concat_tables([dataset.schema.empty_table().select(COLUMNS), *drawn])


def quotas(counts: Sequence[int], rows: int) -> list[int]:
    """Share ``rows`` out in proportion to ``counts``, to whole rows, and no more than there are."""
    ends = np.cumsum([0, *counts])
    shares: list[int] = np.diff(ends * min(rows, ends[-1]) // max(ends[-1], 1)).tolist()
    return shares


def _fragments(dataset: ds.Dataset, window: str) -> list[ds.ParquetFileFragment]:
    return sorted(dataset.get_fragments(pc.field("window") == window), key=lambda fragment: fragment.path)


def _draw(
    schema: pa.Schema, fragments: Sequence[ds.ParquetFileFragment], rows: int, random: np.random.Generator
) -> pa.Table:
    """Draw rows of one window; no more is read than holds `BREADTH` times as many."""
    groups = [group for fragment in fragments for group in fragment.split_by_row_group()] if rows else []
    read = [schema.empty_table().select(COLUMNS)]
    for index in random.permutation(len(groups)):
        if sum(piece.num_rows for piece in read) >= BREADTH * rows:
            break
        read.append(groups[index].to_table(schema=schema, columns=COLUMNS))
    pool = pa.concat_tables(read)
    return pool.take(random.permutation(pool.num_rows)[:rows])
