"""One training of `benchmarks.networks`: ``benchmarks.contended LOG KIND SEED DATA HOME SECONDS`` prints its result."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.contenders import Ligr
from benchmarks.learned import case_of
from benchmarks.loop import step
from data_contracts.job import FitJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.batches import shuffled
from models.power_average import share
from models.recommender.config import RecommenderConfig
from models.recommender.counts import item_counts
from models.recommender.module import Batch, RecommenderModule, Targets
from models.recommender.moments import Draw
from models.recommender.replay import COLUMNS
from models.recommender.sequences import Sequences
from models.rows.optimizer import catch_up_averages, swap_averages

Numbers = NDArray[np.int64]
ROWS_AT_ONCE = 256


class Contender:
    """A network in training.

    Args:
        job: By leave-one-out.
        kind: Of its blocks.
    """

    def __init__(self, job: FitJob, kind: str) -> None:
        self.module = RecommenderModule.of(job)
        network, shape = self.module.network, self.module.config.network
        if kind == "ligr":
            network.blocks = nn.ModuleList(Ligr(shape, network.max_length) for _ in range(shape.blocks))
            for layer in network.blocks.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)
        self.module.train()
        made: Any = self.module.configure_optimizers()  # Lightning allows much more than what this module returns
        self.optimizer: torch.optim.Optimizer = made["optimizer"]
        self.rise = made["lr_scheduler"]["scheduler"]
        self.layers: list[Tensor] = [each for each in self.module.parameters() if each.requires_grad]
        self.average = [each.detach().clone() for each in self.layers]
        self.steps = 0

    def learn(self, sequences: Sequences, epoch: int) -> None:
        """Take an epoch's steps."""
        fit = self.module.config.fit
        order = shuffled(sequences.lengths(), fit.batch_size, np.random.default_rng([fit.seed, epoch]))
        for first in range(0, len(order), fit.batch_size):
            batch = batch_of(sequences, order[first : first + fit.batch_size], Draw(fit.seed, self.steps))
            step(self.module, batch, self.optimizer, self.steps)
            self.rise.step()
            self.steps += 1
            torch._foreach_lerp_(self.average, [each.detach() for each in self.layers], share(self.steps))

    @torch.no_grad()
    def judged(self, sequences: Sequences) -> tuple[float, float]:
        """Return NDCG@10 and HR@10 of its average."""
        own = [each.detach().clone() for each in self.layers]
        torch._foreach_copy_(self.layers, self.average)
        catch_up_averages(self.optimizer)
        swap_averages(self.optimizer)
        self.module.eval()
        found = self._judge(sequences)
        self.module.train()
        torch._foreach_copy_(self.layers, own)
        swap_averages(self.optimizer)
        return found

    def _judge(self, sequences: Sequences) -> tuple[float, float]:
        gains = []
        rows = np.argsort(sequences.lengths(), kind="stable")
        for first in range(0, len(rows), ROWS_AT_ONCE):
            batch = batch_of(sequences, rows[first : first + ROWS_AT_ONCE])
            gains.append(self.module.quality(self.module.network(batch.inputs), batch))
        gain = torch.cat(gains)
        return float(gain.mean()), float((gain > 0).double().mean())


def sequences_of(job: FitJob, window: str, counts: Numbers, config: RecommenderConfig) -> Sequences:
    """Read the examples of one window."""
    dataset = Table(job.tables.folder, EXAMPLES).dataset(job.tables.versions[EXAMPLES.name])
    rows = dataset.to_table(columns=COLUMNS, filter=pc.field("window") == window)
    return Sequences.of(rows, counts, config, (window,))


def batch_of(sequences: Sequences, rows: Numbers, draw: Draw | None = None) -> Batch:
    """Return the batch of a step."""
    met_BL2, target_BL = sequences.padded(rows, draw=draw)
    targets = Targets(target_BL, int((target_BL != 0).sum()), 0 if draw is None else draw.step)
    return Batch(met_BL2, targets, len(rows), rows, "")


def contend(job: FitJob, test: str, kind: str, seconds: float) -> tuple[float, float, int]:
    """Train for so long, and return NDCG@10 and HR@10 of the test by the epoch that validates best, and the epochs."""
    torch.set_num_threads(1)
    counts = item_counts(job.tables, job.known_windows)
    contender, spent, epoch = Contender(job, kind), 0.0, 0
    training, validation, last = (
        sequences_of(job, window, counts, contender.module.config)
        for window in (*job.windows, job.validation.window, test)
    )
    best, found = -1.0, (0.0, 0.0)
    while spent < seconds:
        before = time.process_time()
        contender.learn(training, epoch)
        spent, epoch = spent + time.process_time() - before, epoch + 1
        validated, _ = contender.judged(validation)
        if validated > best:
            best, found = validated, contender.judged(last)
    return (*found, epoch)


def main() -> None:
    """Contend and tell."""
    log, kind, seed, data, home, seconds = sys.argv[1:]
    case = case_of(log, Path(data), Path(home))
    job = case.fit_job(int(seed), None)
    network = job.config["network"]
    assert isinstance(network, dict)
    config = {**job.config, "network": {**network, "kind": "sasrec" if kind == "ligr" else kind}}
    job = job.model_copy(update={"config": config})
    print(json.dumps(contend(job, case.night.windows[-1], kind, float(seconds))))


if __name__ == "__main__":
    main()
