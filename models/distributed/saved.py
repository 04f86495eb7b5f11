"""A training on disk, whatever it was split into: parameters and optimiser by name, in PyTorch's distributed format.

::

    <folder>/
    ├── .metadata, __0_0.distcp, ...    tensors under `parameter.<name>` and `optimizer.<name>.<key>`, in shards
    └── lightning.pt                    everything else that Lightning goes on from; read as data only
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as read_tensors
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.tensor import DTensor, zeros
from torch.optim import Optimizer

from models.rows.optimizer import STEP
from models.rows.rules import caught_up

AVERAGE = "average"
"""Of a parameter's weights: its name in the optimiser's state of it, see `models.averages`."""
LIGHTNING = "lightning.pt"

State = dict[str, Tensor]


class OtherModelError(ValueError):
    """A checkpoint is of another model; the message lists every tensor that differs."""


def begin_save(
    folder: Path,
    parameters: dict[str, nn.Parameter],
    optimizer: Optimizer,
    beside: dict[str, Any] | None,
    writers: distributed.ProcessGroup,
) -> Future[None]:
    """Copy a training, and begin to write it into ``folder``; every process of it calls this, with what it holds.

    Args:
        folder: There already.
        parameters: By name, the same in every way of splitting.
        optimizer: Of them.
        beside: Everything else; of one process only.
        writers: All processes, in a group that nothing else uses: they agree while the training goes on.

    Returns:
        Done when this process has written its part; the first one's when all have.
    """
    state: State = {f"parameter.{name}": parameter.detach() for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        state |= {f"optimizer.{name}.{key}": value for key, value in optimizer.state[parameter].items()}
    if beside is not None:
        torch.save(beside, folder / LIGHTNING)
    writing = async_save(state, checkpoint_id=folder, process_group=writers)
    assert isinstance(writing, Future)
    return writing


def load(folder: Path, parameters: dict[str, nn.Parameter], optimizer: Optimizer) -> dict[str, Any]:
    """Fill ``parameters`` and the state of ``optimizer`` from ``folder``, and return what was saved beside them.

    Raises:
        OtherModelError: It holds other tensors.
    """
    saved, on_gpu = _saved(folder), any(group.get("fused") for group in optimizer.param_groups)
    wanted: State = {f"parameter.{name}": parameter.detach() for name, parameter in parameters.items()}
    states: dict[str, State] = {name: {} for name in parameters}
    for name, parameter in parameters.items():
        start = f"optimizer.{name}."
        for full in (key for key in saved if key.startswith(start)):
            states[name][full.removeprefix(start)] = wanted[full] = _room(parameter, saved[full], on_gpu=on_gpu)
    _read(folder, wanted, saved)
    for name, parameter in parameters.items():
        optimizer.state[parameter] = states[name]
    beside: dict[str, Any] = torch.load(folder / LIGHTNING, map_location="cpu", weights_only=True)
    return beside


def load_averages(folder: Path, parameters: dict[str, nn.Parameter]) -> None:
    """Fill ``parameters`` of one process that holds all of them with their averages; what never moved has none.

    Raises:
        OtherModelError: The checkpoint in ``folder`` holds other tensors.
    """
    saved, wanted, rows = _saved(folder), State(), dict[str, State]()
    for name, parameter in parameters.items():
        key, average = f"optimizer.{name}", f"optimizer.{name}.{AVERAGE}"
        wanted[average if average in saved else f"parameter.{name}"] = parameter.detach()
        if f"{key}.moved" in saved:
            rows[name] = {each: _room(parameter, saved[f"{key}.{each}"], on_gpu=False) for each in ("moved", STEP)}
            rows[name]["weight"] = wanted[f"parameter.{name}"] = torch.empty_like(parameter)
            wanted |= {f"{key}.{each}": rows[name][each] for each in ("moved", STEP)}
    _read(folder, wanted, saved, alone=True)
    for name, own in rows.items():
        resting = parameters[name].detach()
        resting.copy_(caught_up(own["weight"], resting, own["moved"], int(own[STEP])))


def _saved(folder: Path) -> dict[str, TensorStorageMetadata]:
    tensors = FileSystemReader(folder).read_metadata().state_dict_metadata
    return {name: saved for name, saved in tensors.items() if isinstance(saved, TensorStorageMetadata)}


def _room(parameter: nn.Parameter, saved: TensorStorageMetadata, *, on_gpu: bool) -> Tensor:
    """Make room for a tensor of the optimiser; one with a row for each of the parameter's is split as that is.

    Single numbers lie with the processor, unless one kernel steps for all parameters (``fused``).
    """
    size, dtype = saved.size, saved.properties.dtype
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
