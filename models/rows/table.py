"""Rows of a table: vectors of things known by number, looked up before the first layer and scored after the last.

They are no parameters of the layers that read them: nothing that splits layers over processes needs to know of them.
A step holds the rows that it reads, and gives back their gradient. Shape letters: N rows, U rows of a step, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from models.rows.first_values import first_values

NOTHING = 0
"""Number that stands for padding, or for what is unknown: its row is zero, and is not learned."""


class Rows(nn.Module):
    """A table, all of it in this process; layers call it for rows by number, and may share it.

    Args:
        rows: N, row `NOTHING` among them.
        width: D.
        std: Of first values, see `first_values`; all rows begin as zero when it is 0.
        seed: Of first values.

    Attributes:
        weight: float (N, D). Autograd knows nothing of it.
        held: The rows that a step reads, a leaf of autograd's graph, (U, D); None between steps.
    """

    held: nn.Parameter | None

    def __init__(self, rows: int, width: int, *, std: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        values_ND = first_values(seed, torch.arange(rows).numpy(), width, std)
        values_ND[NOTHING] = 0
        self.weight = nn.Parameter(values_ND, requires_grad=False)
        self.register_parameter("held", None)

    @property
    def count(self) -> int:
        """Return N."""
        return self.weight.shape[0]

    @property
    def width(self) -> int:
        """Return D."""
        return self.weight.shape[1]

    def forward(self, number: Tensor) -> Tensor:
        """Return float (..., D) for numbers int64 (...); in a step they are some of those that are held."""
        if self.held is None:
            return embedding(number, self.weight)
        return embedding(torch.searchsorted(self._number_U, number), self.held)

    def hold(self, number: Tensor | None) -> None:
        """Begin a step that reads rows of these numbers, in any order and any number of times; all rows when None."""
        if number is None:
            self._number_U = torch.arange(len(self.weight), device=self.weight.device)
            self.held = nn.Parameter(self.weight.detach())
        else:
            self._number_U = torch.unique(number)
            self.held = nn.Parameter(self.weight.detach()[self._number_U])

    def release(self) -> tuple[Tensor, Tensor]:
        """End the step.

        Returns:
            The numbers that were held, int64 (U,), each once and sorted, and their gradient, float (U, D); row
            `NOTHING` has none.
        """
        assert self.held is not None
        number_U, gradient_UD = self._number_U, self.held.grad
        self.held = None
        if gradient_UD is None:
            gradient_UD = self.weight.new_zeros(len(number_U), self.width)
        learned_U = number_U != NOTHING
        return number_U[learned_U], gradient_UD[learned_U]
