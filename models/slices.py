"""How well contestants do for parts of what was judged: the same metrics, over some of the targets alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Slice

Flags = NDArray[np.bool_]


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
