"""Where a network is cut into stages: so that the slowest of them is as fast as it can be, by measured time."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from data_contracts.job import commit, read
from data_contracts.night import Value
from models.layered import Batch, LayeredModule

STAGES = "stages.json"
_TRIES = 5


class Cut(Value):
    """Which layers each stage has."""

    starts: tuple[int, ...] = Field(description="First layer of each stage, and the number of layers at the end.")
    milliseconds: tuple[float, ...] = Field(
        description="Measured for each layer, there and back; the loss in the last."
    )

    def of(self, stage: int) -> slice:
        """Return the layers of a stage."""
        return slice(self.starts[stage], self.starts[stage + 1])


def cut_once(strategy: Strategy, module: LayeredModule, folder: Path, stages: int) -> Cut:
    """Cut a training's network: the first time by what its first process measures, afterwards as before.

    Another cut would add up gradients in another order, and a training that was killed would not end as if it was not.

    Args:
        strategy: Of all processes.
        module: Whole.
        folder: Of the training: keeps the cut in ``stages.json``.
        stages: How many.
    """
    cut = None
    if strategy.is_global_zero:
        try:
            cut = read(folder / STAGES, Cut)
        except (FileNotFoundError, ValueError):
            cut = None
        if cut is None or len(cut.starts) != stages + 1:
            batch = next(iter(_data(module).train_dataloader()))
            costs = measured(module, strategy.batch_to_device(batch))
            cut = Cut(starts=balanced(costs, stages), milliseconds=costs)
            commit(cut, folder / STAGES)
    found = strategy.broadcast(cut)
    assert found is not None
    return found


def _data(module: LayeredModule) -> pl.LightningDataModule:
    data: pl.LightningDataModule = module.trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit
    return data


def balanced(costs: tuple[float, ...], stages: int) -> tuple[int, ...]:
    """Cut a row of costs into consecutive pieces, the dearest as cheap as can be.

    Returns:
        The first place of each piece, and the number of costs.

    Raises:
        ValueError: There are fewer costs than pieces.
    """
    if len(costs) < stages:
        raise ValueError(f"{len(costs)} layers cannot be cut into {stages} stages: each needs one. Take fewer stages.")
    # best[end]: the dearest piece of the first `end` costs, and where the pieces start
    best: dict[int, tuple[float, tuple[int, ...]]] = {end: (sum(costs[:end]), (0,)) for end in range(1, len(costs) + 1)}
    for piece in range(1, stages):
        best = {
            end: min(
                (max(best[start][0], sum(costs[start:end])), (*best[start][1], start)) for start in range(piece, end)
            )
            for end in range(piece + 1, len(costs) + 1)
        }
    return (*best[len(costs)][1], len(costs))


def measured(module: LayeredModule, batch: Batch) -> tuple[float, ...]:
    """Return the milliseconds of each layer on a batch, there and back; those of the loss are the last layer's."""
    layers = module.network.layers()
    module.hold(batch)
    runs = [_run(module, batch) for _ in range(_TRIES)]
    list(module.release())
    module.zero_grad()
    return tuple(round(median(run[number] for run in runs), 3) for number in range(len(layers)))


def _run(module: LayeredModule, batch: Batch) -> list[float]:
    """Time one pass: the layers there, one by one, then back."""
    clock = [_now(batch.inputs)]
    states: list[tuple[Tensor, Tensor]] = []
    given = batch.inputs
    for layer in module.network.layers():
        state = layer(given)
        clock.append(_now(state))
        states.append((given, state))
        given = state.detach().requires_grad_()
    loss = module.loss(given, batch.targets)
    torch.autograd.backward(loss)
    clock.append(_now(loss))
    back = []
    gradient = given.grad
    for before, state in reversed(states):
        start = _now(state)
        torch.autograd.backward(state, gradient)
        back.append(_now(state) - start)
        gradient = before.grad
    there = [end - start for start, end in pairwise(clock)]
    there[-2] += there.pop()
    return [1000 * sum(both) for both in zip(there, reversed(back), strict=True)]


def _now(state: Tensor) -> float:
    if state.is_cuda:
        torch.cuda.synchronize(state.device)
    return time.perf_counter()
