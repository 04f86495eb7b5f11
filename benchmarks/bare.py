"""The same training as a bare PyTorch loop: ``benchmarks.bare job.json``. No Lightning, no loader, nothing is saved.

The batches are padded and laid out in memory beforehand. Network, loss, optimiser, clipping, order and what dropout
drops are those of `models.fit`, so both come to the same losses.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.clock import Clock
from benchmarks.loop import step
from data_contracts.job import FitJob
from data_contracts.process import main
from models.batches import shuffled
from models.recommender.data import RecommenderData
from models.recommender.module import Batch, RecommenderModule, Targets


def bare(job: FitJob) -> Clock:
    """Train for the job's epochs, and return when each step ended."""
    torch.set_num_threads(job.parallelism.threads_per_process)
    data = RecommenderData(job)
    data.setup("fit")
    input_UL, target_UL = data.training.sequences.padded(np.arange(len(data.training)))
    lengths = data.training.lengths()
    module = RecommenderModule.of(job)
    fit = module.config.fit
    made: Any = module.configure_optimizers()  # Lightning allows much more than what this module returns
    optimizer: torch.optim.Optimizer = made["optimizer"]
    rise: LambdaLR = made["lr_scheduler"]["scheduler"]
    steps: list[float] = []
    worked: list[float] = []
    losses: list[float] = []
    for epoch in range(fit.max_epochs):
        order = shuffled(data.training.lengths(), fit.batch_size, np.random.default_rng([fit.seed, epoch]))
        for start in range(0, len(order), fit.batch_size):
            rows = order[start : start + fit.batch_size]
            longest = int(lengths[rows].max()) - 1
            inputs, target_BL = input_UL[rows, :longest], target_UL[rows, :longest]
            targets = Targets(target_BL, int((target_BL != 0).sum()), len(steps))
            batch = Batch(inputs, targets, examples=len(rows), rows=rows, origin="")
            losses.append(step(module, batch, optimizer, len(steps)))
            rise.step()
            steps.append(time.perf_counter())
            worked.append(time.process_time())
    return Clock(steps=tuple(steps), worked=tuple(worked), losses=tuple(losses))


if __name__ == "__main__":
    main(FitJob, bare)
