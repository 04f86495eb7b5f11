"""Which shard has which row: shard s of S has s, s + S, s + 2 S and so on, and counts them from 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.distributed.parameter_server.wire import Part
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


def cut(part: Part, shard: Shard) -> Part:
    """Return what a shard has of a tensor: rows, or a piece of layers."""
    if shard.world == 1:
        return part
    if part.number_U is None:
        own = shard.own(len(part.value))
        return Part(part.value[own.start : own.stop])
    is_own_U = is_own(part.number_U, shard)
    return Part(part.value[is_own_U], part.number_U[is_own_U])


def joined(pieces: Sequence[Tensor], number_U: Tensor | None) -> Tensor:
    """Return rows, or layers, of which each shard has given some, in the order of the shards."""
    if len(pieces) == 1:
        return pieces[0]
    if number_U is None:
        return torch.cat([*pieces])
    row_UD = pieces[0].new_empty(len(number_U), pieces[0].shape[1])
    for rank, piece_UD in enumerate(pieces):
        row_UD[is_own(number_U, Shard(rank, len(pieces)))] = piece_UD
    return row_UD
