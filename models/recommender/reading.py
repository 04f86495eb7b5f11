"""What a network knows after it has read some of a history, a bounded number of positions at once.

Shape letters: B histories, L positions, T states, D width.
"""

from __future__ import annotations

from torch import Tensor

from models.recommender.network import SasRec

POSITIONS_AT_ONCE = 2**14
"""Positions passing through the network together: of width 64 each tensor has 4 MiB, 16 in the feed-forward layers."""


def states_after(network: SasRec, item_BL: Tensor, row_T: Tensor, read_T: Tensor) -> Tensor:
    """Return what the network knows once it has read some of a history.

    Args:
        network: Ready to score.
        item_BL: int64, oldest first, 0 = padding on the right.
        row_T: Number of the history, int64.
        read_T: How many of its items are read, int64, 1…L.

    Returns:
        Float (T, D).
    """
    size = max(POSITIONS_AT_ONCE // item_BL.shape[1], 1)
    state_TD = network.head.norm.weight.new_empty(len(row_T), network.item.width)
    for start in range(0, len(item_BL), size):
        inside_T = (row_T >= start) & (row_T < start + size)
        state_BLD = network(item_BL[start : start + size])
        state_TD[inside_T] = state_BLD[row_T[inside_T] - start, read_T[inside_T] - 1]
    return state_TD
