"""The plain definition of what a network scores: every item, all at once; the product ranks piece by piece."""

from __future__ import annotations

import torch
from torch import Tensor

from models.recommender.network import SequenceNetwork


def scores(network: SequenceNetwork, met_BL2: Tensor) -> Tensor:
    """Return the scores of all items as the next of each row, float (B, N + 1); column 0, padding, is -inf."""
    state_BLD = network(met_BL2)
    last_BD = state_BLD[torch.arange(len(met_BL2)), (met_BL2[..., 0] != 0).sum(dim=1) - 1]
    score_BN = torch.cat([last_BD @ row_RD.T for _, row_RD in network.item.blocks()], dim=1)
    score_BN[:, 0] = float("-inf")
    return score_BN
