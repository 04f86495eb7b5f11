"""How well contestants do for parts of what was judged: the same metrics, over some of the targets alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.evidence import Slice

Flags = NDArray[np.bool_]

FEW_VALUES = 20
"""Up to as many different values of a column, each is judged by itself."""


def sliced(
    parts: Mapping[str, Flags],
    metrics: Mapping[str, Callable[[Flags], dict[str, float]]],
    units: Callable[[Flags], int] = np.count_nonzero,
) -> dict[str, Slice]:
    """Judge each part that holds any target by itself.

    Args:
        parts: Name to whether each target is in it, (targets,).
        metrics: Contestant to its metrics over the targets that are marked.
        units: Says how many there are in a part; as many as targets when omitted.
    """
    return {
        name: Slice(units=units(chosen), metrics={who: judged(chosen) for who, judged in metrics.items()})
        for name, chosen in parts.items()
        if chosen.any()
    }


def by_value(column: pa.ChunkedArray, name: str) -> dict[str, Flags]:
    """Return which targets have each value, (targets,): of none, if all have one, or there are more than `FEW_VALUES`.

    Args:
        column: A text of each target; null where nobody says so.
        name: Of what it says: parts are called by it, and the value.
    """
    different = sorted(pc.unique(pc.drop_null(column)).to_pylist())
    if not 1 < len(different) <= FEW_VALUES:
        return {}
    return {f"{name}_{value}": pc.equal(column, value).fill_null(fill_value=False).to_numpy() for value in different}
