"""How far apart in time the values of lists are: what the rules of `examples` and `histories` look at."""

from __future__ import annotations

import numpy as np
import polars as pl


def shortest_steps(times: pl.Series) -> pl.Series:
    """Return the shortest step from one value of each list to its next, us; null where there is none.

    Args:
        times: Lists of moments, us. None of them is null, a list may be.
    """
    lengths = times.list.len().fill_null(0).to_numpy().astype(np.int64)
    moments = times.explode(empty_as_null=False, keep_nulls=False).to_physical().to_numpy()
    none = np.iinfo(np.int64).max
    shortest = np.full(len(lengths), none)
    has_steps = lengths > 1
    if has_steps.any():
        starts = np.cumsum(lengths) - lengths
        steps = np.diff(moments, prepend=0)
        steps[starts[lengths > 0]] = none  # from one list to the next
        shortest[lengths > 0] = np.minimum.reduceat(steps, starts[lengths > 0])
    return pl.Series(np.where(has_steps, shortest, none)).replace(none, None)
