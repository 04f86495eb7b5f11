"""A training whose weights, and their average, are validated and kept after every epoch: a bare PyTorch loop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.loop import step
from benchmarks.nights import Case
from data_contracts.manifest import publish
from models.batches import shuffled
from models.power_average import share
from models.recommender.data import RecommenderData
from models.recommender.module import Batch, RecommenderModule, Targets
from models.recommender.moments import Draw
from models.recommender.weights import save
from models.rows.optimizer import catch_up_averages, swap_averages

Kind = Literal["last", "averaged"]
KINDS: tuple[Kind, Kind] = ("last", "averaged")


class Epoch(NamedTuple):
    """What a training had come to at an epoch's end.

    Attributes:
        number: From 1.
        kind: Of the weights: those of the last step, or their average.
        seconds: Of processor time, from the training's start, validation left out.
        quality: The validation metric, more is better.
        weights: Folder of them.
    """

    number: int
    kind: Kind
    seconds: float
    quality: float
    weights: str


@dataclass
class Trained:
    """One training.

    Attributes:
        patience: Epochs without a better one after which it stops; None when nothing stops it.
        epochs: By kind of weights.
    """

    patience: int | None
    epochs: dict[Kind, list[Epoch]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def until(self, kind: Kind) -> list[Epoch]:
        """Return the epochs up to the one after which it stops by this kind of weights."""
        best = 0
        for place, epoch in enumerate(self.epochs[kind]):
            if epoch.quality > self.epochs[kind][best].quality:
                best = place
            if self.patience is not None and place - best >= self.patience:
                return self.epochs[kind][: place + 1]
        return self.epochs[kind]

    def best(self, kind: Kind) -> Epoch:
        """Return the best of them; of equals the first."""
        return max(self.until(kind), key=lambda epoch: epoch.quality)

    @property
    def has_stopped(self) -> bool:
        """Whether no kind of weights goes on."""
        count = len(self.epochs["last"])
        return all(self.patience and count - self.best(kind).number >= self.patience for kind in KINDS)


def train(
    case: Case, seed: int, folder: Path, start: str | None, *, epochs: int, patience: int | None = None
) -> Trained:
    """Train with a constant rate until ``patience`` ends, or with one that falls to nothing over all ``epochs``."""
    torch.set_num_threads(1)
    job = case.fit_job(seed, start)
    data = RecommenderData(job)
    data.setup("fit")
    training = _Training(RecommenderModule.of(job), data, falls_over=None if patience else epochs)
    found, seconds = Trained(patience), 0.0
    for number in range(1, epochs + 1):
        before = time.process_time()
        training.epoch(number - 1)
        seconds += time.process_time() - before
        for kind in KINDS:
            kept = folder / f"{number}-{kind}"
            quality = training.keep(kind, kept)
            found.epochs[kind].append(Epoch(number, kind, seconds, quality, str(kept)))
        print(case.name, seed, [epoch[-1][:4] for epoch in found.epochs.values()], flush=True)
        if found.has_stopped:
            break
    return found


class _Training:
    def __init__(self, module: RecommenderModule, data: RecommenderData, falls_over: int | None) -> None:
        self.module, self.data, self.fit = module, data, module.config.fit
        made: Any = module.configure_optimizers()  # Lightning allows much more than what this module returns
        self.optimizer: torch.optim.Optimizer = made["optimizer"]
        self.highest: list[float] = made["lr_scheduler"]["scheduler"].base_lrs
        self.layers: list[Tensor] = [each for each in module.parameters() if each.requires_grad]
        self.average = [each.detach().clone() for each in self.layers]
        self.falls_over = falls_over and falls_over * math.ceil(len(data.training) / self.fit.batch_size)
        self.step = 0

    def epoch(self, number: int) -> None:
        """Take an epoch's steps, in the order in which `models.batches` has them."""
        self.module.train()
        examples, size = self.data.training, self.fit.batch_size
        order = shuffled(examples.lengths(), size, np.random.default_rng([self.fit.seed, number]))
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            met_BL2, target_BL = examples.sequences.padded(rows, draw=Draw(self.fit.seed, self.step))
            targets = Targets(target_BL, int((target_BL != 0).sum()), self.step)
            self._take(Batch(met_BL2, targets, examples=len(rows), rows=rows, origin=""))

    def _take(self, batch: Batch) -> None:
        rate = min((self.step + 1) / max(self.fit.warm_up_steps, 1), 1.0)
        if self.falls_over:
            rate = min(rate, 1 - self.step / self.falls_over)
        for group, highest in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = rate * highest
        step(self.module, batch, self.optimizer, self.step)
        self.step += 1
        torch._foreach_lerp_(self.average, [each.detach() for each in self.layers], share(self.step))

    @torch.no_grad()
    def keep(self, kind: Kind, folder: Path) -> float:
        """Validate one kind of weights, write them into ``folder``, and return the validation metric."""
        own = [each.detach().clone() for each in self.layers]
        if kind == "averaged":
            torch._foreach_copy_(self.layers, self.average)
            catch_up_averages(self.optimizer)
            swap_averages(self.optimizer)
        self.module.eval()
        rows = np.arange(len(self.data.validation))
        met_BL2, target_BL = self.data.validation.sequences.padded(rows)
        batch = Batch(met_BL2, Targets(target_BL, 1, 0), examples=len(rows), rows=rows, origin="")
        quality = float(self.module.quality(self.module.network(met_BL2), batch).mean())
        staged = folder.with_name(f".{folder.name}")
        staged.parent.mkdir(parents=True, exist_ok=True)
        save(self.module.weights(), staged)
        publish(staged, folder, "weights")
        torch._foreach_copy_(self.layers, own)
        if kind == "averaged":
            swap_averages(self.optimizer)
        return quality
