from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from models.distributed.parameter_server.declared import Table
from models.distributed.parameter_server.rows import Learned, RowStore
from models.rows.exchange import set_gradient
from models.rows.optimizer import RowwiseAdagradAndAdamW, catch_up_averages, states_of_rows
from models.rows.shard import Shard
from models.rows.table import Rows as LocalRows

TABLE = Table(name="item", count=23, width=3, std=0.5, seed=4, decay=0.6, numbers="float64")


def stores_of(told: Table, world: int) -> list[RowStore]:
    return [RowStore(told, Shard(rank, world)) for rank in range(world)]


def own(store: RowStore, number_U: torch.Tensor) -> torch.Tensor:
    return number_U % store.shard.world == store.shard.rank


def whole(stores: list[RowStore], averages_of: int | None = None) -> torch.Tensor:
    number_N = torch.arange(stores[0].told.count)
    row_ND = torch.empty(len(number_N), stores[0].told.width, dtype=torch.float64)
    for store in stores:
        is_own_N = own(store, number_N)
        row_ND[is_own_N] = store.read(number_N[is_own_N], averages_of=averages_of)
    return row_ND


@pytest.mark.parametrize("world", [1, 2, 5])
def test_shards_learn_what_a_table_in_one_process_learns(world: int) -> None:
    random = np.random.default_rng(world)
    local = LocalRows(TABLE.count, TABLE.width, std=TABLE.std, seed=TABLE.seed).double()
    optimizer = RowwiseAdagradAndAdamW(
        [local.weight], [Parameter(torch.ones(1))], rate=0.1, row_rate=0.3, row_decay=TABLE.decay
    )
    stores = stores_of(TABLE, world)
    torch.testing.assert_close(whole(stores), local.weight.detach(), rtol=0, atol=0)
    for step in range(1, 40):
        number_U = torch.from_numpy(np.sort(random.choice(np.arange(1, 20), 6, replace=False)))
        gradient_UD = torch.from_numpy(random.normal(size=(6, 3)))
        set_gradient(local.weight, number_U, gradient_UD)
        optimizer.step()
        for store in stores:
            is_own_U = own(store, number_U)
            store.learn(number_U[is_own_U], gradient_UD[is_own_U], rate=0.3, step=step)
    torch.testing.assert_close(
        whole(stores), local.weight.detach(), rtol=1e-13, atol=1e-15
    )  # sums are rounded otherwise
    catch_up_averages(optimizer)
    ((_, state),) = states_of_rows(optimizer)
    torch.testing.assert_close(whole(stores, averages_of=39), state["average"], rtol=1e-14, atol=0)
    assert sum(store.held for store in stores) <= 19, "rows that nobody learned from take no room"


def test_padding_is_zero_and_does_not_learn() -> None:
    (store,) = stores_of(TABLE, 1)
    assert store.learn(torch.tensor([0, 2]), torch.ones(2, 3).double(), rate=1.0, step=1) == Learned(rows=1, dropped=0)
    assert torch.equal(store.read(torch.tensor([0])), torch.zeros(1, 3).double())


def test_a_row_is_held_from_the_step_that_admits_it_and_its_gradients_before_are_dropped() -> None:
    (store,) = stores_of(TABLE.model_copy(update={"admitted_after": 3}), 1)
    first = store.read(torch.tensor([5, 6]))
    seen = [
        store.learn(torch.tensor(rows), torch.ones(len(rows), 3).double(), rate=0.1, step=step)
        for step, rows in enumerate([[5, 6], [5], [5], [5, 6]], start=1)
    ]
    assert seen == [Learned(0, 2), Learned(0, 1), Learned(1, 0), Learned(1, 1)]
    now = store.read(torch.tensor([5, 6]))
    assert not torch.equal(now[0], first[0])
    assert torch.equal(now[1], first[1])
    assert store.held == 1


def test_rows_that_rest_too_long_are_forgotten_and_begin_again() -> None:
    (store,) = stores_of(TABLE.model_copy(update={"admitted_after": 2}), 1)
    first = store.read(torch.tensor([5, 6]))
    for step in range(1, 5):
        store.learn(torch.tensor([5, 6]), torch.ones(2, 3).double(), rate=0.1, step=step)
    store.learn(torch.tensor([6]), torch.ones(1, 3).double(), rate=0.1, step=5)
    learned = store.read(torch.tensor([6]))
    assert store.forget(before=5) == 1
    assert torch.equal(store.read(torch.tensor([5, 6])), torch.cat([first[:1], learned]))
    assert store.held == 1
    assert store.learn(torch.tensor([5]), torch.ones(1, 3).double(), rate=0.1, step=6) == Learned(0, 1), "rare again"
    assert store.forget(before=0) == 0


def test_all_rows_come_in_blocks_held_or_not() -> None:
    for world in (1, 3):
        for store in stores_of(TABLE, world):
            number_U = torch.arange(max(store.shard.rank, 1), 12)
            number_U = number_U[own(store, number_U)]
            store.learn(number_U, torch.ones(len(number_U), 3).double(), rate=0.1, step=1)
            found = {
                (first + place) * world + store.shard.rank: row
                for first, row_RD in store.blocks(averages_of=1)
                for place, row in enumerate(row_RD)
            }
            wanted = torch.tensor([number for number in range(1, 23) if number % world == store.shard.rank])
            assert sorted(found) == wanted.tolist()
            again = dict(store.blocks(averages_of=1))
            rows = store.read(wanted, averages_of=1)
            assert torch.equal(torch.stack([found[int(each)] for each in wanted]), rows)
            assert torch.equal(torch.cat(list(again.values())), rows), "what was kept is as what was drawn"
