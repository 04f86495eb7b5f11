"""What a shard holds, on disk: sealed and renamed, and read by any number of shards.

::

    <folder>/
    ├── shard-00001-of-00002-step-0000000120/
    │   ├── <name>.safetensors      of a table or of layers, see `RowStore.state` and `LayerStore.state`
    │   ├── told.json               `Record`
    │   └── manifest.json           sha256 of the others
    └── shard-00002-of-00002-step-0000000123/

Shards write when they come to it, so a snapshot of one may be some steps older than that of another. A shard's own
before is removed once the new one is whole; those of another number of shards stay until somebody removes them.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.job import commit, read
from data_contracts.manifest import DamagedError, damage, publish, verify
from data_contracts.night import Value
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.state import State
from models.rows.shard import Shard

TOLD = "told.json"
PATTERN = "shard-*-of-*-step-*"

logger = logging.getLogger(__name__)


class Record(Value):
    """What a snapshot is of; see `State`."""

    rules: Rules
    rank: NonNegativeInt
    world: PositiveInt
    taken: NonNegativeInt
    beyond: tuple[NonNegativeInt, ...]
    rows: tuple[Table, ...]
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
        worlds: dict[int, dict[int, Path]] = {}
        for path in sorted(folder.glob(PATTERN)):  # the newest of each shard comes last
            verify(path)
            record = read(path / TOLD, Record)
            worlds.setdefault(record.world, {})[record.rank] = path
        whole = [list(paths.values()) for world, paths in worlds.items() if len(paths) == world]
        if not whole:
            seen = [path.name for paths in worlds.values() for path in paths.values()]
            raise DamagedError(f"{folder} does not hold a snapshot of every shard: {seen}.")
        found = [{path: read(path / TOLD, Record) for path in paths} for paths in whole]
        self._told = max(found, key=lambda told: max(each.steps for each in told.values()))

    @property
    def newest(self) -> Record:
        """Return what the one is of that knows of most steps."""
        return max(self._told.values(), key=lambda told: told.steps)

    @property
    def lost(self) -> int:
        """Return how many steps the oldest knows less of than the newest: its rows have not learned from them."""
        return self.newest.steps - min(told.steps for told in self._told.values())

    def put_into(self, shard: ParameterShard) -> None:
        """Have a shard, of however many, hold its part."""
        held: tuple[Table | Layers, ...] = (*self.newest.rows, *self.newest.layers)
        for told in held:
            shard.declare(told, epoch=shard.epoch)
            for path, each in self._told.items():
                tensors = load_file(path / f"{told.name}.safetensors")
                first = Shard(each.rank, each.world).own(told.count).start
                shard.put(told.name, tensors, epoch=shard.epoch, first=first)


def save(state: State, shard: Shard, folder: Path) -> None:
    """Write what a shard holds; its snapshot of before goes once this one is whole.

    Raises:
        OSError: The disk is full, say.
    """
    name = _name(shard)
    staged = folder / f".{name}.{os.getpid()}.staged"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for each, tensors in state.tensors.items():
        save_file({part: value.contiguous() for part, value in tensors.items()}, staged / f"{each}.safetensors")
    told = Record(
        rules=state.rules,
        rank=shard.rank,
        world=shard.world,
        taken=state.taken,
        beyond=state.beyond,
        rows=tuple(each for each in state.told.values() if isinstance(each, Table)),
        layers=tuple(each for each in state.told.values() if isinstance(each, Layers)),
    )
    commit(told, staged / TOLD)
    final = folder / f"{name}-step-{told.steps:010}"
    publish(staged, final, "snapshot")
    for old in folder.glob(f"{name}-step-*"):
        if old != final:
            shutil.rmtree(old)


def restored(folder: Path, shard: Shard) -> ParameterShard | None:
    """Return a shard as its own snapshot has it; None where there is no whole one."""
    for path in sorted(folder.glob(f"{_name(shard)}-step-*"), reverse=True):
        if problems := damage(path):
            logger.error("snapshot %s is not as it was written: %s", path, "; ".join(problems))
            continue
        told = read(path / TOLD, Record)
        found = ParameterShard(told.rules.model_copy(update={"taken": told.taken, "beyond": told.beyond}))
        found.is_restored = True
        held: tuple[Table | Layers, ...] = (*told.rows, *told.layers)
        for each in held:
            found.declare(each, epoch=found.epoch)
            tensors = load_file(path / f"{each.name}.safetensors")
            found.put(each.name, tensors, epoch=found.epoch, first=shard.own(each.count).start)
        return found
    return None


def _name(shard: Shard) -> str:
    return f"shard-{shard.rank + 1:05}-of-{shard.world:05}"
