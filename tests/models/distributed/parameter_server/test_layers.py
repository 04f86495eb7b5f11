from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from models.distributed.parameter_server.declared import Layers
from models.distributed.parameter_server.layers import LayerStore
from models.power_average import share
from models.rows.shard import Shard

VECTOR = Layers(name="layers", count=11, decay=0.1, numbers="float64")


def learned(stores: list[LayerStore], steps: range) -> list[LayerStore]:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        gradient_P = torch.randn(11, generator=generator, dtype=torch.float64)
        for store in stores:
            store.learn(gradient_P[store.own.start : store.own.stop], rate=0.01 * step, step=step)
    return stores


def stores_of(world: int) -> list[LayerStore]:
    stores = [LayerStore(VECTOR, Shard(rank, world)) for rank in range(world)]
    for store in stores:
        store.put({"weight": torch.arange(11.0).double(), "average": torch.arange(11.0).double()}, first=0)
    return stores


def whole(stores: list[LayerStore], *, averages: bool = False) -> torch.Tensor:
    return torch.cat([store.read(averages=averages) for store in stores])


def test_pieces_learn_what_adamw_learns_and_keep_the_average() -> None:
    plain = Parameter(torch.arange(11.0).double())
    optimizer = torch.optim.AdamW([plain], weight_decay=0.1, fused=True)
    average = plain.detach().clone()
    for step in range(1, 8):
        optimizer.param_groups[0]["lr"] = 0.01 * step
        plain.grad = torch.randn(11, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        optimizer.step()
        average.lerp_(plain.detach(), share(step))
    stores = learned(stores_of(3), range(1, 8))
    torch.testing.assert_close(whole(stores), plain.detach(), rtol=1e-14, atol=0)
    torch.testing.assert_close(whole(stores, averages=True), average, rtol=1e-14, atol=0)


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_pieces_can_be_cut_anew(before: int, world: int) -> None:
    old = learned(stores_of(3), range(1, before + 1))
    new = [LayerStore(VECTOR, Shard(rank, world)) for rank in range(world)]
    for mine in new:
        for theirs in old:
            mine.put(theirs.state(), theirs.own.start)
    learned(old, range(before + 1, 9))
    learned(new, range(before + 1, 9))
    for averages in (False, True):  # cut otherwise, numbers are rounded otherwise
        torch.testing.assert_close(whole(new, averages=averages), whole(old, averages=averages), rtol=1e-14, atol=0)


def test_what_was_read_does_not_change() -> None:
    (store,) = stores_of(1)
    before = store.read()
    learned([store], range(1, 2))
    assert torch.equal(before, torch.arange(11.0).double())
