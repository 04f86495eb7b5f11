from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_contracts.manifest import DamagedError
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.snapshot import Snapshot, save

TABLE = Table(name="network.item.weight", count=41, width=2, std=1.0, seed=3, numbers="float64")
VECTOR = Layers(name="layers", count=7, numbers="float64")


def made(world: int, taken: int = 0) -> list[ParameterShard]:
    return [ParameterShard(Rules(epoch=0, rank=rank, world=world, taken=taken)) for rank in range(world)]


def declared(shards: list[ParameterShard]) -> list[ParameterShard]:
    for shard in shards:
        for told in (TABLE, VECTOR):
            shard.declare(told, epoch=0)
    return shards


def step(shards: list[ParameterShard], number: int) -> None:
    """Take a step with a gradient that follows from its number."""
    generator = torch.Generator().manual_seed(number)
    row_U = torch.unique(torch.randint(1, 30, (9,), generator=generator))
    row_UD = torch.randn(len(row_U), 2, generator=generator, dtype=torch.float64)
    piece_P = torch.randn(7, generator=generator, dtype=torch.float64)
    for shard in shards:
        is_own_U = row_U % shard.shard.world == shard.shard.rank
        own = shard.shard.own(7)
        gradients = {
            TABLE.name: Gradient(row_UD[is_own_U], row_U[is_own_U], 0.3),
            VECTOR.name: Gradient(piece_P[own.start : own.stop], rate=0.1),
        }
        shard.push(Push(number, 0, gradients), epoch=0)


def whole(shards: list[ParameterShard], *, averages: bool) -> list[torch.Tensor]:
    number_N, pieces = torch.arange(41), []
    row_ND = torch.empty(41, 2, dtype=torch.float64)
    for shard in shards:
        own_U = number_N[number_N % shard.shard.world == shard.shard.rank]
        found = shard.read({TABLE.name: own_U, VECTOR.name: None}, epoch=0, averages=averages)
        row_ND[own_U] = found[TABLE.name]
        pieces.append(found[VECTOR.name])
    return [row_ND, torch.cat(pieces)]


def restored(folder: Path, world: int) -> list[ParameterShard]:
    snapshot = Snapshot(folder)
    shards = [
        ParameterShard(
            Rules(epoch=0, rank=rank, world=world, taken=snapshot.newest.taken, beyond=snapshot.newest.beyond)
        )
        for rank in range(world)
    ]
    for shard in shards:
        snapshot.put_into(shard)
    return shards


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_any_number_of_shards_goes_on_from_a_snapshot(tmp_path: Path, world: int) -> None:
    old = declared(made(3))
    for number in range(8):
        step(old, number)
    for shard in old:
        save(shard.state(), shard.shard, tmp_path)
    new = restored(tmp_path, world)
    assert [shard.clock.taken for shard in new] == [8] * world
    for number in range(6, 12):  # two of them again
        step(old, number)
        step(new, number)
    for averages in (False, True):
        for theirs, mine in zip(whole(old, averages=averages), whole(new, averages=averages), strict=True):
            torch.testing.assert_close(theirs, mine, rtol=1e-14, atol=0)  # pieces are cut for processors otherwise


def test_shards_that_wrote_at_other_steps_say_how_much_one_lost(tmp_path: Path) -> None:
    shards = declared(made(2))
    for number in range(3):
        step(shards, number)
    save(shards[0].state(), shards[0].shard, tmp_path)
    for number in (3, 5):
        step(shards, number)
    save(shards[1].state(), shards[1].shard, tmp_path)
    snapshot = Snapshot(tmp_path)
    assert (snapshot.newest.taken, snapshot.newest.beyond, snapshot.lost) == (4, (5,), 2)


def test_a_snapshot_that_was_changed_or_lacks_a_shard_is_refused(tmp_path: Path) -> None:
    shards = declared(made(2))
    save(shards[0].state(), shards[0].shard, tmp_path)
    with pytest.raises(DamagedError, match=r"a snapshot of every shard: \['shard-00001-of-00002-step-0000000000'\]"):
        Snapshot(tmp_path)
    save(shards[1].state(), shards[1].shard, tmp_path)
    assert Snapshot(tmp_path).lost == 0
    file = tmp_path / "shard-00002-of-00002-step-0000000000" / f"{TABLE.name}.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=r"'network\.item\.weight\.safetensors': sha256 is"):
        Snapshot(tmp_path)


def test_what_a_killed_shard_left_half_written_is_no_snapshot(tmp_path: Path) -> None:
    (shard,) = declared(made(1))
    save(shard.state(), shard.shard, tmp_path)
    step([shard], 0)
    (tmp_path / ".shard-00001-of-00001.staged").mkdir()
    (tmp_path / ".shard-00001-of-00001.staged" / "torn.safetensors").write_bytes(b"{")
    assert Snapshot(tmp_path).newest.taken == 0
    save(shard.state(), shard.shard, tmp_path)
    assert Snapshot(tmp_path).newest.taken == 1


def test_snapshots_of_fewer_shards_count_once_they_are_whole_and_of_an_old_one_nothing_is_left(tmp_path: Path) -> None:
    old = declared(made(3))
    for shard in old:
        save(shard.state(), shard.shard, tmp_path)
    new = restored(tmp_path, 2)
    step(new, 0)
    save(new[0].state(), new[0].shard, tmp_path)
    assert Snapshot(tmp_path).newest.world == 3
    save(new[1].state(), new[1].shard, tmp_path)
    assert (Snapshot(tmp_path).newest.world, Snapshot(tmp_path).newest.taken) == (2, 1)
    step(new, 1)
    for shard in new:
        save(shard.state(), shard.shard, tmp_path)
    assert len(list(tmp_path.glob("shard-*-of-00002-*"))) == 2
