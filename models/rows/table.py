"""Rows of a table: vectors of things known by number, looked up before the first layer and scored after the last.

They are no parameters of the layers that read them: nothing that splits layers over processes needs to know of them.
A step holds the rows that it reads, and gives back their gradient. Of a table that is too large for one process each
has a range of rows, see `models.rows.shard`. Shape letters: N rows, U rows of a step, D width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import embedding

from models.rows.exchange import add_rows, set_gradient
from models.rows.first_values import first_values
from models.rows.ranking import Blocks, Hidden, Targets, ranks
from models.rows.room import require_room
from models.rows.shard import Asked, Route, Shard, ranked_by_all

NOTHING = 0
"""Number that stands for padding, or for what is unknown: its row is zero, and is not learned."""
WHOLE = Shard()


class Rows(nn.Module):
    """A table, or this process's part of it; layers call it for rows by number, and may share it.

    Args:
        count: N, row `NOTHING` among them.
        width: D.
        std: Of first values, see `first_values`; all rows begin as zero when it is 0.
        seed: Of first values.
        decay: Share that a row loses in each step that reads it.
        shard: What this process has of it.

    Raises:
        ValueError: There are more processes than rows, or its memory does not hold them.

    Attributes:
        weight: float (N, D), or the rows ``own``. Autograd knows nothing of it.
        held: The rows that a step reads, a leaf of autograd's graph, (U, D); None between steps.
        step: Of the training, that reads them; None where nothing is learned from them.
    """

    held: nn.Parameter | None
    step: int | None = None

    def __init__(
        self, count: int, width: int, *, std: float = 0.0, seed: int = 0, decay: float = 0.0, shard: Shard = WHOLE
    ) -> None:
        super().__init__()
        self.count, self.width, self.decay, self.shard = count, width, decay, shard
        self.own = shard.own(count)
        if shard.world > count:
            raise ValueError(
                f"{count:,} rows cannot be shared by {shard.world:,} processes: each needs one. Take fewer processes, "
                "or train.parallelism.rows: local."
            )
        if not self.whole:
            require_room(count, width, shard)
        values_ND = first_values(seed, np.arange(self.own.start, self.own.stop), width, std)
        if NOTHING in self.own:
            values_ND[NOTHING - self.own.start] = 0
        self.weight = nn.Parameter(values_ND, requires_grad=False)
        self.register_parameter("held", None)

    @property
    def whole(self) -> bool:
        """Whether this process has all rows."""
        return self.shard.world == 1

    def forward(self, number: Tensor) -> Tensor:
        """Return float (..., D) for numbers int64 (...); in a step they are some of those that are held."""
        if self.held is None:
            assert self.whole
            return embedding(number, self.weight)
        return embedding(torch.searchsorted(self._number_U, number), self.held)

    def blocks(self) -> Blocks:
        """Yield all rows of a process that has them, in one block."""
        assert self.whole
        yield 0, self.weight

    def hold(self, number: Tensor | None) -> None:
        """Begin a step that reads rows of these numbers, in any order and any number of times; all rows when None.

        Where each process has some of the rows, all of them begin it together.

        Raises:
            ValueError: A row is asked for that nobody has; or all of them, and this process has some only.
        """
        if number is None:
            if not self.whole:
                raise ValueError(
                    f"all {self.count:,} rows are asked for at once, and each process has some only. Ask for those "
                    "that a step reads, or take train.parallelism.rows: local."
                )
            self._number_U = torch.arange(self.count, device=self.weight.device)
            self.held = nn.Parameter(self.weight.detach())
            return
        self._number_U = torch.unique(number)
        if len(strangers := self._number_U[(self._number_U < 0) | (self._number_U >= self.count)]):
            raise ValueError(
                f"row {int(strangers[0])} is asked for, and {len(strangers) - 1:,} others that no process has: the "
                f"table has rows 0 to {self.count - 1:,}. The examples know things that came after the table: is "
                "known_windows of the job older than its windows?"
            )
        self.held = nn.Parameter(self._looked_up(self._number_U))

    def _looked_up(self, number_U: Tensor) -> Tensor:
        """Return the rows of a step, (U, D)."""
        if self.whole:
            return self.weight.detach().index_select(0, number_U)
        self._route = Route.of(number_U, self.count, self.shard)
        return self._route.rows(self.weight.detach())

    def ranks(self, state_TD: Tensor, number_T: Tensor, hidden: Hidden) -> Tensor:
        """Rank rows for states, see `models.rows.ranking.ranks`; the targets' are at hand, as `forward` has them.

        Where each process has some of the rows, all of them call this together, each with states of its own, or none.
        """
        return self._ranked(Asked(state_TD.to(self.weight.dtype), Targets(number_T, self(number_T)), hidden))

    def _ranked(self, asked: Asked) -> Tensor:
        first = max(self.own.start, NOTHING + 1)
        block = (first, self.weight[first - self.own.start :])
        if self.whole:
            return ranks(asked.state_TD, asked.targets, [block], hidden=asked.hidden)
        return ranked_by_all(
            asked, lambda all_of: ranks(all_of.state_TD, all_of.targets, [block], hidden=all_of.hidden)
        )

    def assist(self) -> None:
        """Rank this process's rows for others."""
        nothing = torch.empty(0, dtype=torch.int64, device=self.weight.device)
        self.ranks(self.weight.new_zeros(0, self.width), nothing, Hidden(nothing, nothing))

    def squared_norm(self) -> Tensor:
        """Return the squared length, float64, of the gradient of all rows, those of other processes too."""
        assert self.weight.grad is not None
        total: Tensor = self.weight.grad.values().double().square().sum()
        if not self.whole:
            distributed.all_reduce(total)
        return total

    def scale_gradient(self, factor: Tensor) -> None:
        """Scale it."""
        assert self.weight.grad is not None
        self.weight.grad.values().mul_(factor)

    def let_go(self) -> None:
        """End a step that has learned nothing."""
        self.held = None

    def release(self, travels: str = "float32", *, together: bool = True) -> None:
        """End a step: give `weight` its gradient, which all rows but those that were read have none of.

        Args:
            travels: Kind of numbers that is sent between processes: those that there are, or ``bfloat16``.
            together: Whether gradients are added over all processes; they step by themselves otherwise.
        """
        assert self.held is not None
        number_U, gradient_UD = self._number_U, self.held.grad
        self.held = None
        if gradient_UD is None:
            gradient_UD = self.weight.new_zeros(len(number_U), self.width)
        self._learn(number_U, gradient_UD, travels, together=together)

    def _learn(self, number_U: Tensor, gradient_UD: Tensor, travels: str, *, together: bool) -> None:
        """Give `weight` the gradient of the rows that a step has read."""
        if not self.whole:
            number_U, gradient_UD = self._route.gradients(gradient_UD, travels)
        elif together:
            number_U, gradient_UD = add_rows(number_U, gradient_UD, travels)
        learned_U = number_U + self.own.start != NOTHING
        set_gradient(self.weight, number_U[learned_U], gradient_UD[learned_U])
