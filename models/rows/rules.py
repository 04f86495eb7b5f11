"""How rows learn: row-wise Adagrad, and their averages; only what a step has read is touched. Plain PyTorch.

A row's average is needed when rows validate or are saved, but a row that rests must cost nothing meanwhile. While it
rests at w from step m to step t, its average goes from a to w + (a - w) (m / t)^(gamma + 1): the product of what
`models.power_average` leaves of an average in each of these steps. So it is enough to remember m.

Shape letters: N rows, U rows that a step has read, D width.

Sources: row-wise Adagrad of FBGEMM (`EXACT_ROWWISE_ADAGRAD`), as used by TorchRec; Gupta et al., 2014.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from models.power_average import kept, share

EPSILON = 1e-8
ROWS_AT_ONCE = 2**14
"""Whose averages are made together: copies of all would be as much memory as the table."""


class RowState(NamedTuple):
    """What a table's optimiser remembers; names are those in a checkpoint.

    Attributes:
        sum_of_squares: Of a row's gradients, each the mean over its numbers, (N, 1).
        moved: Step in which it moved last, from 1; 0 before, (N, 1).
        average: Of its values as of that step, (N, D).
    """

    sum_of_squares: Tensor
    moved: Tensor
    average: Tensor

    @classmethod
    def of(cls, weight_ND: Tensor) -> Self:
        """Return that of a table which no step has touched."""
        return cls(torch.zeros_like(weight_ND[:, :1]), torch.zeros_like(weight_ND[:, :1]), weight_ND.clone())


@torch.no_grad()
def take_step(
    weight_ND: Tensor,
    state: RowState,
    number_U: Tensor,
    gradient_UD: Tensor,
    *,
    rate: float,
    decay: float = 0.0,
    step: int,
) -> None:
    """Move some rows.

    A row's step is divided by the root of the sum, over all steps, of its mean squared gradient: a rare row keeps large
    steps until it is met. A row that rests neither moves nor decays, so nobody has to know for how long it did.

    Args:
        weight_ND: The rows, changed in place.
        state: Of them, changed in place.
        number_U: Which of them, each once.
        gradient_UD: Of the loss, summed over all processes.
        rate: Learning rate.
        decay: Share of their values that they lose before they move.
        step: Of the training, from 1.
    """
    row_UD, sum_U1, moved_U1, average_UD = (each.index_select(0, number_U) for each in (weight_ND, *state))
    average_UD = caught_up(row_UD, average_UD, moved_U1, step - 1)
    sum_U1 += torch.linalg.vecdot(gradient_UD, gradient_UD)[:, None] / gradient_UD.shape[1]
    if decay:
        row_UD *= 1 - decay
    row_UD.addcdiv_(gradient_UD, sum_U1.sqrt().add_(EPSILON), value=-rate)
    weight_ND.index_copy_(0, number_U, row_UD)
    state.sum_of_squares.index_copy_(0, number_U, sum_U1)
    state.average.index_copy_(0, number_U, average_UD.lerp_(row_UD, share(step)))
    state.moved.index_fill_(0, number_U, float(step))


@torch.no_grad()
def catch_up(weight_ND: Tensor, state: RowState, step: int) -> None:
    """Bring the averages of all rows to ``step``, in place."""
    catch_up_in_pieces(weight_ND, state.average, state.moved, step)
    state.moved.fill_(float(step))


def catch_up_in_pieces(weight_ND: Tensor, average_ND: Tensor, moved_N1: Tensor, step: int) -> None:
    """See `caught_up`; some rows at a time, in place."""
    for weight_UD, average_UD, moved_U1 in zip(
        *(torch.split(each, ROWS_AT_ONCE) for each in (weight_ND, average_ND, moved_N1)), strict=True
    ):
        average_UD.copy_(caught_up(weight_UD, average_UD, moved_U1, step))


def caught_up(row_UD: Tensor, average_UD: Tensor, moved_U1: Tensor, step: int) -> Tensor:
    """Return averages as of ``step``, of rows that rested since they moved last."""
    return torch.lerp(row_UD, average_UD, kept(moved_U1, max(step, 1)))
