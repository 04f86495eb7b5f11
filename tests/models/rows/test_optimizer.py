from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from models.power_average import share
from models.rows.exchange import set_gradient
from models.rows.optimizer import RowwiseAdagradAndAdamW, catch_up_averages, swap_averages

Gradients = dict[int, list[float]]


def optimizer(table: Parameter, others: list[Parameter], row_decay: float = 0.0) -> RowwiseAdagradAndAdamW:
    return RowwiseAdagradAndAdamW([table], others, rate=0.01, decay=0.1, row_rate=0.5, row_decay=row_decay)


def table_of(values: torch.Tensor) -> Parameter:
    return Parameter(values.double(), requires_grad=False)


def step_rows(made: RowwiseAdagradAndAdamW, table: Parameter, gradients: Gradients) -> None:
    set_gradient(table, torch.tensor(list(gradients)), torch.tensor(list(gradients.values())).double())
    made.step()


def test_a_row_moves_by_its_gradient_over_the_root_of_all_its_mean_squares() -> None:
    table = table_of(torch.ones(3, 2))
    made = optimizer(table, [Parameter(torch.ones(1))])
    step_rows(made, table, {0: [3.0, 4.0], 2: [1.0, 1.0]})
    step_rows(made, table, {0: [1.0, 0.0]})
    first = 1 - 0.5 * torch.tensor([3.0, 4.0]) / 12.5**0.5 - 0.5 * torch.tensor([1.0, 0.0]) / 13.0**0.5
    wanted = torch.stack([first, torch.ones(2), torch.full((2,), 0.5)]).double()
    torch.testing.assert_close(table.detach(), wanted, rtol=1e-6, atol=0)


def test_a_row_loses_a_share_in_each_step_that_reads_it_and_rests_as_it_is() -> None:
    table = table_of(torch.ones(3, 2))
    made = optimizer(table, [Parameter(torch.ones(1))], row_decay=0.4)
    step_rows(made, table, {0: [0.0, 0.0], 2: [3.0, 4.0]})
    step_rows(made, table, {0: [0.0, 0.0]})
    moved = 0.6 - 0.5 * torch.tensor([3.0, 4.0]) / 12.5**0.5
    wanted = torch.stack([torch.full((2,), 0.36), torch.ones(2), moved]).double()
    torch.testing.assert_close(table.detach(), wanted, rtol=1e-6, atol=0)


def test_everything_else_is_plain_adamw() -> None:
    ours, theirs = Parameter(torch.ones(4)), Parameter(torch.ones(4))
    made = optimizer(table_of(torch.ones(1, 1)), [ours])
    plain = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1, fused=True)
    for _ in range(3):
        ours.grad = torch.randn(4)
        theirs.grad = ours.grad.clone()
        made.step()
        plain.step()
    assert torch.equal(ours, theirs)


def test_its_state_can_be_kept_and_taken_up_again() -> None:
    def trained(stop_after: int | None) -> torch.Tensor:
        table = table_of(torch.ones(2, 2))
        made = optimizer(table, [Parameter(torch.ones(1))])
        for step in range(4):
            step_rows(made, table, {1: [step + 1.0, 1.0]})
            if step == stop_after:
                state = made.state_dict()
                made = optimizer(table, [Parameter(torch.ones(1))])
                made.load_state_dict(state)
        return table.detach()

    assert torch.equal(trained(stop_after=None), trained(stop_after=1))


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("seed", range(5))
def test_averages_of_rows_that_rest_are_those_of_rows_averaged_in_every_step(seed: int, decay: float) -> None:
    random = np.random.default_rng(seed)
    table = table_of(torch.from_numpy(random.normal(size=(6, 3))))
    made = optimizer(table, [Parameter(torch.ones(1))], decay)
    wanted = torch.zeros_like(table)
    for step in range(1, 30):
        rows = random.choice(6, random.integers(0, 4), replace=False)
        set_gradient(table, torch.from_numpy(np.sort(rows)), torch.from_numpy(random.normal(size=(len(rows), 3))))
        made.step()
        wanted.lerp_(table.detach(), share(step))
        if step % 7 == 0:  # a validation in between changes nothing
            catch_up_averages(made)
    before = table.detach().clone()
    catch_up_averages(made)
    swap_averages(made)
    torch.testing.assert_close(table.detach(), wanted, rtol=1e-12, atol=1e-12)
    swap_averages(made)
    assert torch.equal(table.detach(), before)
