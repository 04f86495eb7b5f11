from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from models.rows import softmax
from models.rows.first_values import first_values
from models.rows.shard import Shard
from models.rows.table import Rows


def test_first_values_are_a_rows_own_whoever_makes_it() -> None:
    whole, some = np.arange(1_000), np.array([3, 999, 0])
    drawn = first_values(7, whole, 16, 0.02)
    torch.testing.assert_close(first_values(7, some, 16, 0.02), drawn[some], rtol=0, atol=0)
    assert drawn.mean().abs() < 1e-3
    assert float(drawn.std()) == pytest.approx(0.02, rel=0.02)
    assert len(torch.unique(drawn)) > 0.99 * drawn.numel()
    assert not torch.equal(drawn, first_values(8, whole, 16, 0.02))


def test_rows_for_which_a_process_has_no_room_are_refused_before_they_are_made() -> None:
    with pytest.raises(ValueError, match=r"process 2 of 3 has no room for its 333,333,333,332 of 1,0"):
        Rows(10**12, 64, shard=Shard(2, 3))


@pytest.mark.parametrize("number", [torch.tensor([5, 2, 5, 0]), None], ids=["some", "all"])
def test_a_step_gets_the_gradient_of_what_it_read_and_padding_has_none(number: torch.Tensor | None) -> None:
    rows = Rows(8, 3, std=1.0)
    assert torch.equal(rows.weight[0], torch.zeros(3))
    before = rows(torch.tensor([[5, 2], [0, 5]]))
    rows.hold(number)
    read = rows(torch.tensor([[5, 2], [0, 5]]))
    assert torch.equal(read, before)
    read.sum().backward()
    rows.release()
    assert rows.weight.grad is not None
    number_U, gradient_UD = rows.weight.grad.indices()[0], rows.weight.grad.values()
    told = dict(zip(number_U.tolist(), gradient_UD[:, 0].tolist(), strict=True))
    assert {each: gradient for each, gradient in told.items() if gradient} == {2: 1, 5: 2}
    assert 0 not in told
    assert rows.held is None


def test_a_row_that_nobody_has_is_named() -> None:
    rows = Rows(8, 3)
    with pytest.raises(ValueError, match=r"row 8 is asked for, and 1 others that no process has: .* rows 0 to 7"):
        rows.hold(torch.tensor([3, 9, 8, 9]))


def test_more_processes_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 rows cannot be shared by 4 processes: each needs one"):
        Rows(3, 2, shard=Shard(3, 4))


@pytest.mark.parametrize(("count", "world"), [(10, 1), (10, 3), (9, 3), (7, 4), (5, 5)])
def test_ranges_of_rows_are_those_of_torchs_chunk_and_rows_their_own(count: int, world: int) -> None:
    whole = Rows(count, 2, std=1.0, seed=3).weight
    parts = [Rows(count, 2, std=1.0, seed=3, shard=Shard(rank, world)) for rank in range(world)]
    assert torch.equal(torch.cat([part.weight for part in parts]), whole)
    assert [len(part.weight) for part in parts] == [len(chunk) for chunk in whole.chunk(world)]


def test_a_step_that_learned_nothing_of_its_rows_has_no_gradient() -> None:
    rows = Rows(8, 3, std=1.0)
    rows.hold(torch.tensor([4, 3]))
    rows.release()
    assert rows.weight.grad is not None
    assert rows.weight.grad.indices().tolist() == [[3, 4]]
    assert not rows.weight.grad.values().any()


@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_cross_entropy_in_pieces_is_torchs_own_with_all_its_gradients(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    state = torch.randn(10, 4, dtype=torch.float64, requires_grad=True)
    table = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randint(7, (10,))
    wanted = cross_entropy(state @ table.T, target, reduction="sum")
    wanted_gradients = torch.autograd.grad(2 * wanted, [state, table])
    monkeypatch.setattr(softmax, "SCORES_AT_ONCE", 7 * -(-10 // pieces))
    numbers = torch.arange(7)
    seen = softmax.cross_entropy(state, table[target], table, target_M=target, number_K=numbers, expected_K=None)
    torch.testing.assert_close(seen, wanted)
    torch.testing.assert_close(torch.autograd.grad(2 * seen, [state, table]), wanted_gradients)


def test_no_state_has_no_loss_and_gradients_of_the_right_shape() -> None:
    state, table = torch.zeros(0, 4, requires_grad=True), torch.randn(7, 4, requires_grad=True)
    target = torch.zeros(0, dtype=torch.int64)
    loss = softmax.cross_entropy(
        state, table[target], table, target_M=target, number_K=torch.arange(7), expected_K=None
    )
    loss.backward()
    assert loss.item() == 0
    assert table.grad is not None
    assert not table.grad.any()
