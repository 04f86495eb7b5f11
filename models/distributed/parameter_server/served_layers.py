"""The layers of a network whose parameters a parameter server learns: as vectors, one of each group of the optimiser.

Shape letters: P numbers of a vector.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.declared import Layers
from models.distributed.parameter_server.gathered import Gradient
from models.rows.optimizer import STEP

WEIGHT = "weight"


class ServedLayers:
    """All layers of one trainer.

    Args:
        server: That learns them.
        optimizer: AdamW; its groups say what decays, and at which rate what learns.

    Raises:
        ValueError: It is another one, or is set up otherwise than a shard's own.
    """

    def __init__(self, server: ParameterServer, optimizer: Optimizer) -> None:
        self._server, self._optimizer = server, optimizer
        usual = inspect.signature(torch.optim.AdamW).parameters
        problems = [] if isinstance(optimizer, torch.optim.AdamW) else [f"it is {type(optimizer).__name__}"]
        problems += [
            f"{name} is {group[name]} in group {number}"
            for number, group in enumerate(optimizer.param_groups)
            for name in ("betas", "eps", "amsgrad", "maximize")
            if name in group and group[name] != usual[name].default
        ]
        if problems:
            raise ValueError(
                f"a parameter server learns layers by AdamW as torch sets it up, and of this optimiser {problems}. "
                "Take server.mode: hybrid, or rows: local."
            )

    def told(self) -> list[Layers]:
        """Return what shards are told of them."""
        return [
            Layers(
                name=name, count=sum(each.numel() for each in own), decay=group["weight_decay"], numbers=_numbers(own)
            )
            for name, group, own in self._groups()
        ]

    def hand_over(self) -> None:
        """Have the server be as the trainer is."""
        for name, _, own in self._groups():
            states = [self._optimizer.state.get(each, {}) for each in own]
            keys = [key for key, value in states[0].items() if value.ndim] if states[0] else []
            tensors = {WEIGHT: _flat(own), "average": _flat(own)}
            tensors |= {key: _flat([state[key] for state in states]) for key in keys}
            self._server.put_layers(name, int(states[0].get(STEP, 0)), tensors)

    def forget(self) -> None:
        """Leave nothing for the trainer's own optimiser to go on from."""
        for _, _, own in self._groups():
            for each in own:
                self._optimizer.state.pop(each, None)

    def wanted(self) -> dict[str, None]:
        """Return what a step reads."""
        return {name: None for name, _, _ in self._groups()}

    def take(self, found: Mapping[str, Tensor]) -> None:
        """Have the trainer's layers be what was read."""
        for name, _, own in self._groups():
            _put(found[name], own)

    def gradients(self) -> dict[str, Gradient]:
        """Return the gradients of a step, and leave none for the trainer's own optimiser."""
        found = {}
        for name, group, own in self._groups():
            value_P = _flat([torch.zeros_like(each) if each.grad is None else each.grad for each in own])
            found[name] = Gradient(value_P, rate=float(group["lr"]))
            for each in own:
                each.grad = None
        return found

    def fetch(self) -> None:
        """Have the trainer be as the server is, with all that it remembers."""
        for name, _, own in self._groups():
            taken, found = self._server.layers(name)
            _put(found.pop(WEIGHT), own)
            for each in own if taken else ():
                self._optimizer.state[each] = {STEP: torch.tensor(float(taken))}
            for key, value_P in found.items() if taken else ():
                pieces = [torch.empty_like(each) for each in own]
                _put(value_P, pieces)
                for each, piece in zip(own, pieces, strict=True):
                    self._optimizer.state[each][key] = piece

    def _groups(self) -> Iterator[tuple[str, dict[str, Any], list[nn.Parameter]]]:
        """Yield each group that has layers: its name on the server, itself, and its parameters."""
        for number, group in enumerate(self._optimizer.param_groups):
            if own := [each for each in group["params"] if each.requires_grad]:
                yield f"layers.{number}", group, own


def _numbers(own: Sequence[Tensor]) -> Any:  # noqa: ANN401, checked by who takes it
    return str(own[0].dtype).removeprefix("torch.")


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.detach().flatten() for each in tensors]).cpu()


def _put(value_P: Tensor, tensors: Sequence[Tensor]) -> None:
    pieces = torch.split(value_P, [each.numel() for each in tensors])
    for each, piece in zip(tensors, pieces, strict=True):
        each.detach().copy_(piece.view_as(each))
