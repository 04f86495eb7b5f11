"""A training on disk, whatever it was split into: parameters and optimiser by name, in PyTorch's distributed format.

::

    <folder>/
    ├── .metadata, __0_0.distcp, ...    tensors under `parameter.<name>` and `optimizer.<name>.<key>`, in shards
    └── lightning.pt                    everything else that Lightning goes on from; read as data only
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as read_tensors
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Shard, zeros
from torch.optim import Optimizer

from models.rows.optimizer import STEP
from models.rows.rules import catch_up_in_pieces
from models.rows.table import Rows

AVERAGE = "average"
"""Of a parameter's weights: its name in the optimiser's state of it, see `models.averages`."""
LIGHTNING = "lightning.pt"

State = dict[str, Tensor]


class OtherModelError(ValueError):
    """A checkpoint is of another model; the message lists every tensor that differs."""


class Split(NamedTuple):
    """A tensor of which each process holds a range of rows, as torch's `chunk` cuts them.

    Attributes:
        mesh: Of the processes.
        rows: Of the whole.
    """

    mesh: DeviceMesh
    rows: int

    def whole(self, own: Tensor) -> Tensor:
        """Return the tensor that this process's rows are of, if it has rows; it lies where they lie."""
        if not own.ndim:
            return own
        shape = torch.Size((self.rows, *own.shape[1:]))
        stride = torch.empty(shape, device="meta").stride()
        found: Tensor = DTensor.from_local(own, self.mesh, [Shard(0)], run_check=False, shape=shape, stride=stride)
        return found


Splits = Mapping[str, Split]
"""By a parameter's name; what its optimiser remembers is split likewise."""


def splits_of(module: nn.Module, device: torch.device) -> Splits:
    """Return the tables of which this process has some rows, by the first name of each; they lie on ``device``."""
    tables = {f"{name}.weight": rows for name, rows in module.named_modules() if isinstance(rows, Rows)}
    return {
        name: Split(init_device_mesh(device.type, (rows.shard.world,)), rows.count)
        for name, rows in tables.items()
        if not rows.whole
    }


def begin_save(
    folder: Path,
    parameters: dict[str, nn.Parameter],
    optimizer: Optimizer,
    beside: dict[str, Any] | None,
    writers: distributed.ProcessGroup,
    splits: Splits,
) -> Future[None]:
    """Copy a training, and begin to write it into ``folder``; every process of it calls this, with what it holds.

    Args:
        folder: There already.
        parameters: By name, the same in every way of splitting.
        optimizer: Of them.
        beside: Everything else; of one process only.
        writers: All processes, in a group that nothing else uses: they agree while the training goes on.
        splits: What no process holds whole.

    Returns:
        Done when this process has written its part; the first one's when all have.
    """
    state: State = {}
    for name, parameter in parameters.items():
        own = {f"parameter.{name}": parameter.detach()}
        own |= {f"optimizer.{name}.{key}": value for key, value in optimizer.state[parameter].items()}
        state |= _as_saved(own, splits.get(name))
    if beside is not None:
        torch.save(beside, folder / LIGHTNING)
    writing = async_save(state, checkpoint_id=folder, process_group=writers)
    assert isinstance(writing, Future)
    return writing


def load(folder: Path, parameters: dict[str, nn.Parameter], optimizer: Optimizer, splits: Splits) -> dict[str, Any]:
    """Fill ``parameters`` and the state of ``optimizer`` from ``folder``, and return what was saved beside them.

    Raises:
        OtherModelError: It holds other tensors.
    """
    saved, on_gpu = _saved(folder), any(group.get("fused") for group in optimizer.param_groups)
    wanted: State = {}
    states: dict[str, State] = {name: {} for name in parameters}
    for name, parameter in parameters.items():
        own, start = {f"parameter.{name}": parameter.detach()}, f"optimizer.{name}."
        for full in (key for key in saved if key.startswith(start)):
            room = _room(parameter, saved[full], on_gpu=on_gpu, is_split=name in splits)
            states[name][full.removeprefix(start)] = own[full] = room
        wanted |= _as_saved(own, splits.get(name))
    _read(folder, wanted, saved)
    for name, parameter in parameters.items():
        optimizer.state[parameter] = states[name]
    beside: dict[str, Any] = torch.load(folder / LIGHTNING, map_location="cpu", weights_only=True)
    return beside


def load_averages(folder: Path, parameters: dict[str, nn.Parameter], splits: Splits) -> None:
    """Fill ``parameters`` with their averages; what never moved has none.

    One process that holds all of them calls this, or every process, where each has some rows of a table.

    Raises:
        OtherModelError: The checkpoint in ``folder`` holds other tensors.
    """
    saved, wanted, rows = _saved(folder), State(), dict[str, State]()
    for name, parameter in parameters.items():
        key, average = f"optimizer.{name}", f"optimizer.{name}.{AVERAGE}"
        own = {average if average in saved else f"parameter.{name}": parameter.detach()}
        if f"{key}.moved" in saved:
            rows[name] = {
                each: _room(parameter, saved[f"{key}.{each}"], on_gpu=False, is_split=name in splits)
                for each in ("moved", STEP)
            }
            rows[name]["weight"] = own[f"parameter.{name}"] = torch.empty_like(parameter)
            own |= {f"{key}.{each}": rows[name][each] for each in ("moved", STEP)}
        wanted |= _as_saved(own, splits.get(name))
    _read(folder, wanted, saved, alone=not splits)
    for name, own in rows.items():
        catch_up_in_pieces(own["weight"], parameters[name].detach(), own["moved"], int(own[STEP]))


def _as_saved(own: State, split: Split | None) -> State:
    return {key: split.whole(value) for key, value in own.items()} if split else own


def _saved(folder: Path) -> dict[str, TensorStorageMetadata]:
    tensors = FileSystemReader(folder).read_metadata().state_dict_metadata
    return {name: saved for name, saved in tensors.items() if isinstance(saved, TensorStorageMetadata)}


def _room(parameter: nn.Parameter, saved: TensorStorageMetadata, *, on_gpu: bool, is_split: bool = False) -> Tensor:
    """Make room for a tensor of the optimiser; one with a row for each of the parameter's is split as that is.

    Single numbers lie with the processor, unless one kernel steps for all parameters (``fused``).
    """
    size, dtype = saved.size, saved.properties.dtype
    if is_split and len(size):
        size = torch.Size((parameter.shape[0], *size[1:]))
    if isinstance(parameter, DTensor) and len(size) and size[0] == parameter.shape[0]:
        split: Tensor = zeros(size, dtype=dtype, device_mesh=parameter.device_mesh, placements=parameter.placements)
        return split
    return torch.zeros(size, dtype=dtype, device=parameter.device if len(size) or on_gpu else "cpu")


def _read(folder: Path, wanted: State, saved: dict[str, TensorStorageMetadata], *, alone: bool = False) -> None:
    problems = [
        f"{name}: {tuple(saved[name].size) if name in saved else 'missing'}, wanted {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name not in saved or saved[name].size != tensor.shape
    ]
    if problems:
        raise OtherModelError(
            f"checkpoint {folder} is of another model: {len(problems):,} tensors differ.\n  - "
            + "\n  - ".join(problems)
            + "\nRemove it to start from the beginning."
        )
    read_tensors(wanted, checkpoint_id=folder, no_dist=alone or not distributed.is_initialized())
