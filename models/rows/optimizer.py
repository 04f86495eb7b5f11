"""The optimiser of a network with tables of rows: row-wise Adagrad for rows, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from models.rows.rules import RowState, catch_up, take_step

STEP = "step"
"""Name of the number of steps in an optimiser's state, torch's own."""


class RowwiseAdagradAndAdamW(torch.optim.AdamW):
    """Row-wise Adagrad for tables of rows, see `models.rows.rules`; AdamW for all other parameters.

    Args:
        tables: Weights of `models.rows.table.Rows`; their gradient is sparse, and used up by a step.
        others: All that this process has of them, none where it has only a table.
        rate: Learning rate of the others.
        decay: Of the others' weights, decoupled from the gradient.
        row_rate: Learning rate of rows.
        row_decay: Share that a row loses in each step that reads it.
    """

    def __init__(
        self,
        tables: Iterable[Tensor],
        others: Iterable[Tensor],
        *,
        rate: float,
        decay: float = 0.0,
        row_rate: float,
        row_decay: float = 0.0,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(others)},
            {"params": list(tables), "lr": row_rate, "decay": row_decay},
        ]
        super().__init__(groups, lr=rate, weight_decay=decay, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._step_rows(table, table.grad, group["lr"], group["decay"])
                    table.grad = None  # AdamW passes over what has no gradient
        super().step()
        return loss

    def _step_rows(self, table: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[table]
        if not state:
            state[STEP] = torch.zeros(())
            state |= RowState.of(table)._asdict()
        state[STEP] += 1
        number_U, gradient_UD = gradient.indices()[0], gradient.values()
        take_step(table, _rows_of(state), number_U, gradient_UD, rate=rate, decay=decay, step=int(state[STEP]))


def states_of_rows(optimizer: Optimizer) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield the tables that an optimiser has stepped, and what it remembers of them."""
    for parameter, state in optimizer.state.items():
        if "moved" in state:
            yield parameter, state


def catch_up_averages(optimizer: Optimizer) -> None:
    """Bring the averages of all rows to the last step."""
    for table, state in states_of_rows(optimizer):
        catch_up(table, _rows_of(state), int(state[STEP]))


def swap_averages(optimizer: Optimizer) -> None:
    """Take the averages of rows for the rows, and the rows for the averages; or back."""
    for table, state in states_of_rows(optimizer):
        table.data, state["average"] = state["average"], table.data


def give_back(optimizers: Iterable[Optimizer]) -> None:
    """Give back the memory of tables and of what is remembered of them; they are of no use any more."""
    for optimizer in optimizers:
        for table, _ in list(states_of_rows(optimizer)):
            del optimizer.state[table]
            table.data = table.new_empty(0)


def _rows_of(state: dict[str, Tensor]) -> RowState:
    return RowState(**{name: state[name] for name in RowState._fields})
