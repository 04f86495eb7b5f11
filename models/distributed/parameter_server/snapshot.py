"""What a shard holds, on disk: sealed and renamed, and read by any number of shards.

::

    <folder>/
    ├── shard-00001-of-00002/
    │   ├── <name>.safetensors      of a table or of layers, see `RowStore.state` and `LayerStore.state`
    │   ├── told.json               `Told`
    │   └── manifest.json           sha256 of the others
    └── shard-00002-of-00002/

Shards write when they come to it, so a snapshot of one may be some steps older than that of another.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.job import commit, read
from data_contracts.manifest import DamagedError, publish, verify
from data_contracts.night import Value
from models.distributed.parameter_server.declared import Layers, Rows
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.state import State
from models.rows.shard import Shard

TOLD = "told.json"
PATTERN = "shard-*-of-*"


class Told(Value):
    """What a snapshot is of; see `State`."""

    rank: NonNegativeInt
    world: PositiveInt
    taken: NonNegativeInt
    beyond: tuple[NonNegativeInt, ...]
    rows: tuple[Rows, ...]
    layers: tuple[Layers, ...]

    @property
    def steps(self) -> int:
        """Return how many steps it knows of."""
        return self.taken + len(self.beyond)


class Snapshot:
    """The newest snapshots of all shards, whole ones.

    Args:
        folder: Of them.

    Raises:
        DamagedError: One is missing, or is not as it was written.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob(PATTERN))
        for path in paths:
            verify(path)
        self._told = {path: read(path / TOLD, Told) for path in paths}
        seen = sorted((each.world, each.rank) for each in self._told.values())
        wanted = [(len(seen), rank) for rank in range(len(seen))]
        if not seen or seen != wanted:
            raise DamagedError(f"{folder} does not hold a snapshot of every shard: {[path.name for path in paths]}.")

    @property
    def newest(self) -> Told:
        """Return what the one is of that knows of most steps."""
        return max(self._told.values(), key=lambda told: told.steps)

    @property
    def lost(self) -> int:
        """Return how many steps the oldest knows less of than the newest: its rows have not learned from them."""
        return self.newest.steps - min(told.steps for told in self._told.values())

    def put_into(self, shard: ParameterShard) -> None:
        """Have a shard, of however many, hold its part."""
        held: tuple[Rows | Layers, ...] = (*self.newest.rows, *self.newest.layers)
        for told in held:
            shard.declare(told, epoch=shard.epoch)
            for path, each in self._told.items():
                tensors = load_file(path / f"{told.name}.safetensors")
                first = Shard(each.rank, each.world).own(told.count).start
                shard.put(told.name, tensors, epoch=shard.epoch, first=first)


def save(state: State, shard: Shard, folder: Path) -> None:
    """Write what a shard holds; its snapshot of before stays until this one is whole.

    Raises:
        OSError: The disk is full, say.
    """
    staged = folder / f".{name_of(shard)}.staged"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for name, tensors in state.tensors.items():
        save_file({each: value.contiguous() for each, value in tensors.items()}, staged / f"{name}.safetensors")
    told = Told(
        rank=shard.rank,
        world=shard.world,
        taken=state.taken,
        beyond=state.beyond,
        rows=tuple(each for each in state.told.values() if isinstance(each, Rows)),
        layers=tuple(each for each in state.told.values() if isinstance(each, Layers)),
    )
    commit(told, staged / TOLD)
    publish(staged, folder / name_of(shard), "snapshot")


def name_of(shard: Shard) -> str:
    """Return what the folder of a shard's snapshot is called."""
    return f"shard-{shard.rank + 1:05}-of-{shard.world:05}"
