"""Which shard has which row: shard s of S has s, s + S, s + 2 S and so on, and counts them from 0."""

from __future__ import annotations

from torch import Tensor

from models.rows.shard import Shard


def is_own(number_U: Tensor, shard: Shard) -> Tensor:
    """Say which rows a shard has, by their numbers, int64."""
    return number_U % shard.world == shard.rank


def index_of(number_U: Tensor, shard: Shard) -> Tensor:
    """Return as what a shard counts its own rows."""
    return number_U // shard.world if shard.world > 1 else number_U


def number_of(index_U: Tensor, shard: Shard) -> Tensor:
    """Return the numbers of what a shard counts so."""
    return index_U * shard.world + shard.rank
