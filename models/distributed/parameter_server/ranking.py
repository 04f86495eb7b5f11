"""Ranks the rows of one shard, held or not, see `models.rows.ranking`."""

from __future__ import annotations

import torch
from torch import Tensor

from models.distributed.parameter_server.dealt import index_of, is_own
from models.distributed.parameter_server.rows import RowStore
from models.rows.ranking import Hidden, Targets, ranks

NO_PLACE = -1
"""Of a target's row that another shard has."""


def ranks_among(store: RowStore, state_TD: Tensor, targets: Targets, hidden: Hidden, averages_of: int) -> Tensor:
    """Count the rows of a shard whose averages score better than each target; see `models.rows.ranking.ranks`."""
    if not len(state_TD):
        return torch.empty(0, dtype=torch.float64)
    shard, number_T = store.shard, targets.number_T
    place_T = torch.where(is_own(number_T, shard), index_of(number_T, shard), NO_PLACE)
    is_own_H = is_own(hidden.row_H, shard)
    here = Hidden(hidden.state_H[is_own_H], index_of(hidden.row_H[is_own_H], shard))
    return ranks(state_TD, Targets(place_T, targets.row_TD), store.blocks(averages_of=averages_of), hidden=here)
