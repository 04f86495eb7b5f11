from __future__ import annotations

import torch
from torch.nn import Parameter

from models.recommender.config import AdamWConfig, RowwiseAdagradConfig
from models.recommender.optimizer import make_optimizer

CONFIG = RowwiseAdagradConfig(learning_rate=0.01, weight_decay=0.1, row_learning_rate=0.5)


def take_steps(optimizer: torch.optim.Optimizer, gradients: list[dict[Parameter, torch.Tensor]]) -> None:
    for step in gradients:
        for parameter, gradient in step.items():
            parameter.grad = gradient.clone()
        optimizer.step()


def test_a_row_moves_by_its_gradient_over_the_root_of_all_its_mean_squares() -> None:
    table = Parameter(torch.ones(3, 2, dtype=torch.float64))
    first, second = (
        torch.tensor([[3.0, 4.0], [0, 0], [1, 1]]).double(),
        torch.tensor([[1.0, 0], [0, 0], [0, 0]]).double(),
    )
    take_steps(make_optimizer([table], [], CONFIG), [{table: first}, {table: second}])
    root = torch.tensor([[12.5**0.5], [1.0], [1.0]]).double()
    later = torch.tensor([[13.0**0.5], [1.0], [1.0]]).double()
    torch.testing.assert_close(table.detach(), 1 - 0.5 * first / root - 0.5 * second / later)


def test_a_row_without_gradient_neither_moves_nor_decays() -> None:
    table = Parameter(torch.ones(2, 2))
    take_steps(make_optimizer([table], [], CONFIG), [{table: torch.tensor([[1.0, 1.0], [0.0, 0.0]])}] * 3)
    assert torch.equal(table[1], torch.ones(2))
    assert (table[0] < 1).all()


def test_everything_else_is_plain_adamw() -> None:
    ours, theirs = Parameter(torch.ones(4)), Parameter(torch.ones(4))
    gradients = [torch.randn(4) for _ in range(3)]
    take_steps(make_optimizer([Parameter(torch.ones(1, 1))], [ours], CONFIG), [{ours: g} for g in gradients])
    take_steps(torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1), [{theirs: g} for g in gradients])
    assert torch.equal(ours, theirs)


def test_its_state_can_be_kept_and_taken_up_again() -> None:
    def trained(stop_after: int | None) -> torch.Tensor:
        table = Parameter(torch.ones(2, 2))
        optimizer = make_optimizer([table], [], CONFIG)
        for step in range(4):
            take_steps(optimizer, [{table: torch.full((2, 2), step + 1.0)}])
            if step == stop_after:
                state = optimizer.state_dict()
                optimizer = make_optimizer([table], [], CONFIG)
                optimizer.load_state_dict(state)
        return table.detach()

    assert torch.equal(trained(stop_after=None), trained(stop_after=1))


def test_adamw_for_all_is_torch_own() -> None:
    assert type(make_optimizer([Parameter(torch.ones(1))], [], AdamWConfig())) is torch.optim.AdamW
