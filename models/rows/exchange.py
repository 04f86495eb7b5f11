"""What processes tell each other of the rows that they have read. Shape letters: U rows, N rows of a table, D width."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

NO_ROW = -1
"""Fills up lists of numbers: all processes send as many."""


def add_rows(number_U: Tensor, gradient_UD: Tensor, travels: str) -> tuple[Tensor, Tensor]:
    """Add the gradients of rows over all processes.

    Args:
        number_U: int64, each once, sorted.
        gradient_UD: Of this process's part of the loss.
        travels: Kind of numbers that is sent: ``float32`` for those that there are, or ``bfloat16``.

    Returns:
        The numbers that any process has read, each once, sorted; and their gradients, the same for every process.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return number_U, gradient_UD
    read_V = _read_by_any(number_U)
    added_VD = gradient_UD.new_zeros(len(read_V), gradient_UD.shape[1])
    added_VD[torch.searchsorted(read_V, number_U)] = gradient_UD
    sent_VD = added_VD.bfloat16() if travels == "bfloat16" else added_VD
    distributed.all_reduce(sent_VD)
    return read_V, sent_VD.to(gradient_UD)


def _read_by_any(number_U: Tensor) -> Tensor:
    world = distributed.get_world_size()
    most = torch.tensor(len(number_U), device=number_U.device)
    distributed.all_reduce(most, distributed.ReduceOp.MAX)
    own_M = number_U.new_full((int(most),), NO_ROW)
    own_M[: len(number_U)] = number_U
    all_WM = [torch.empty_like(own_M) for _ in range(world)]
    distributed.all_gather(all_WM, own_M)
    read_V: Tensor = torch.unique(torch.cat(all_WM))
    return read_V[read_V != NO_ROW]


def set_gradient(weight: nn.Parameter, number_U: Tensor, gradient_UD: Tensor) -> None:
    """Give a table of rows its gradient, which all rows but some have none of."""
    shape = weight.shape
    weight.grad = torch.sparse_coo_tensor(number_U[None], gradient_UD, shape, is_coalesced=True, check_invariants=False)
