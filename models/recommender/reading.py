"""What a network knows after it has read some of a history, a bounded number of positions at once.

Shape letters: B histories, L positions, T states, D width.
"""

from __future__ import annotations

from torch import Tensor

from models.recommender.network import SequenceNetwork

POSITIONS_AT_ONCE = 2**14
"""Positions passing through the network together: of width 64 each tensor has 4 MiB, 16 in the feed-forward layers."""

PAIRS_AT_ONCE = 2**22
"""Pairs of them, where blocks compare times: each has 8 bytes of a bucket, and some numbers for each head."""


def states_after(network: SequenceNetwork, met_BL2: Tensor, row_T: Tensor, read_T: Tensor) -> Tensor:
    """Return what the network knows once it has read some of a history.

    Args:
        network: Ready to score.
        met_BL2: int64, see `models.recommender.network`, oldest first.
        row_T: Number of the history, int64.
        read_T: How many of its items are read, int64, 1…L.

    Returns:
        Float (T, D).
    """
    length = met_BL2.shape[1]
    size = POSITIONS_AT_ONCE // length
    if network.knows_times:
        size = min(size, PAIRS_AT_ONCE // length**2)
    size = max(size, 1)
    state_TD = network.head.norm.weight.new_empty(len(row_T), network.item.width)
    for start in range(0, len(met_BL2), size):
        inside_T = (row_T >= start) & (row_T < start + size)
        state_BLD = network(met_BL2[start : start + size])
        state_TD[inside_T] = state_BLD[row_T[inside_T] - start, read_T[inside_T] - 1]
    return state_TD
