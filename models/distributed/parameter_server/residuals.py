"""What gradients lose when they are rounded on their way, added to the next ones (error feedback).

Source: Seide et al., "1-bit stochastic gradient descent", Interspeech 2014. Shape letters: U rows of a step, D width,
S slots.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.distributed.parameter_server.gathered import Gradient

MOST = 2**26
"""Bytes that are kept of a table: beyond them a row's place may be another's, and what it had lost is."""
NOBODY = -1


class Residuals:
    """What one trainer's gradients have lost."""

    def __init__(self) -> None:
        self._of_layers: dict[str, Tensor] = {}
        self._of_rows: dict[str, tuple[Tensor, Tensor]] = {}

    def rounded(self, name: str, gradient: Gradient, rows: int) -> Gradient:
        """Return a gradient as it travels: with what the ones before have lost, in numbers that bfloat16 has.

        Args:
            name: Of the table, or of layers.
            gradient: Of a step.
            rows: N, of the table.
        """
        if gradient.number_U is None:
            value_P = gradient.value + self._of_layers.get(name, 0)
            rounded_P = value_P.bfloat16().to(value_P.dtype)
            self._of_layers[name] = value_P - rounded_P
            return gradient._replace(value=rounded_P)
        return gradient._replace(value=self._rounded(name, gradient.value, gradient.number_U, rows))

    def _rounded(self, name: str, value_UD: Tensor, number_U: Tensor, rows: int) -> Tensor:
        if name not in self._of_rows:
            slots = min(rows, MOST // (value_UD.shape[1] * value_UD.element_size()))
            empty_SD = value_UD.new_zeros(slots, value_UD.shape[1])
            self._of_rows[name] = torch.full((slots,), NOBODY), empty_SD
        number_S, lost_SD = self._of_rows[name]
        slot_U = number_U % len(number_S)
        was_lost_U = number_S[slot_U] == number_U
        value_UD = value_UD + lost_SD[slot_U] * was_lost_U[:, None]
        rounded_UD = value_UD.bfloat16().to(value_UD.dtype)
        number_S[slot_U] = number_U
        is_kept_U = number_S[slot_U] == number_U  # of two with the same place one is
        lost_SD[slot_U[is_kept_U]] = (value_UD - rounded_UD)[is_kept_U]
        return rounded_UD
