"""Ranks the rows of one shard, held or not, see `models.rows.ranking`."""

from __future__ import annotations

import torch
from torch import Tensor

from models.distributed.parameter_server.rows import RowStore
from models.rows.ranking import Hidden, Targets, ranks


def ranks_among(store: RowStore, state_TD: Tensor, targets: Targets, hidden: Hidden, averages_of: int) -> Tensor:
    """Count the rows of a shard whose averages score better than each target; see `models.rows.ranking.ranks`."""
    rank, world = store.shard
    place_T = torch.where(targets.number_T % world == rank, targets.number_T // world, -1)
    is_own_H = hidden.row_H % world == rank
    here = Hidden(hidden.state_H[is_own_H], hidden.row_H[is_own_H] // world)
    return ranks(state_TD, Targets(place_T, targets.row_TD), store.blocks(averages_of=averages_of), hidden=here)
