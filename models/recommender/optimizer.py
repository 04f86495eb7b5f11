"""Optimisers of the recommender: AdamW for every weight, or row-wise Adagrad for the rows of the item embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from models.recommender.config import AdamWConfig, RowwiseAdagradConfig

EPSILON = 1e-8


class RowwiseAdagradAndAdamW(torch.optim.AdamW):
    """Row-wise Adagrad for tables of rows, AdamW for everything else.

    A row's step is divided by the root of the sum, over all steps, of its mean squared gradient. A row without
    gradient neither moves nor decays, so a rare item keeps large steps until it is met.

    Args:
        rows: Parameters whose first axis are rows.
        others: All other parameters.
        config: Learning rates and decay.

    Source:
        Row-wise Adagrad of FBGEMM (`EXACT_ROWWISE_ADAGRAD`), as used by TorchRec; Gupta et al., 2014.
    """

    def __init__(self, rows: Iterable[Tensor], others: Iterable[Tensor], config: RowwiseAdagradConfig) -> None:
        others = list(others)
        super().__init__(
            [
                {"params": others, "rowwise": False},
                {"params": list(rows), "rowwise": True, "lr": config.row_learning_rate},
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=_on_gpu(others),
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; gradients of rows are used up by it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"] if group["rowwise"] else ():
                if table.grad is not None:
                    self._step_rows(table, table.grad, group["lr"])
                    table.grad = None  # AdamW passes over what has no gradient
        super().step()
        return loss

    def _step_rows(self, table: Tensor, gradient: Tensor, learning_rate: float) -> None:
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros(())  # every state of AdamW has one
            state["sum_of_squares"] = torch.zeros_like(table[:, :1])
        sums: Tensor = state["sum_of_squares"]
        sums += gradient.square().mean(dim=1, keepdim=True)
        table.addcdiv_(gradient, sums.sqrt().add_(EPSILON), value=-learning_rate)


def make_optimizer(
    rows: Iterable[Tensor], others: Iterable[Tensor], config: AdamWConfig | RowwiseAdagradConfig
) -> torch.optim.Optimizer:
    """Make the optimiser that ``config`` names, for the embedding's ``rows`` and all ``others``."""
    if isinstance(config, RowwiseAdagradConfig):
        return RowwiseAdagradAndAdamW(rows, others, config)
    all_of_them = [*others, *rows]
    return torch.optim.AdamW(
        all_of_them, lr=config.learning_rate, weight_decay=config.weight_decay, fused=_on_gpu(all_of_them)
    )


def _on_gpu(parameters: list[Tensor]) -> bool:
    """Whether one kernel can take the step for all of them."""
    return bool(parameters) and all(parameter.is_cuda for parameter in parameters)
