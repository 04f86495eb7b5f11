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
from data_contracts.job import FitJob
from data_contracts.process import main
from models.recommender.data import RecommenderData
from models.recommender.module import RecommenderModule, Targets


def bare(job: FitJob) -> Clock:
    """Train for the job's epochs, and return when each step ended."""
    torch.set_num_threads(job.parallelism.threads_per_process)
    data = RecommenderData(job)
    data.setup("fit")
    input_UL, target_UL = data.training.sequences.padded(np.arange(len(data.training)))
    module = RecommenderModule.of(job)
    fit, parameters = module.config.fit, list(module.parameters())
    made: Any = module.configure_optimizers()  # Lightning allows much more than what this module returns
    optimizer: torch.optim.Optimizer = made["optimizer"]
    rise: LambdaLR = made["lr_scheduler"]["scheduler"]
    steps: list[float] = []
    worked: list[float] = []
    losses: list[float] = []
    for epoch in range(fit.max_epochs):
        order = np.random.default_rng([fit.seed, epoch]).permutation(len(input_UL))
        for start in range(0, len(order), fit.batch_size):
            rows = torch.from_numpy(order[start : start + fit.batch_size])
            targets = Targets(target_UL[rows], int((target_UL[rows] != 0).sum()), len(steps))
            place = np.random.SeedSequence(
                [fit.seed, len(steps), 0]
            )  # as `models.steps.SeedOfStep`: the same is dropped
            torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))
            loss = module.loss(module.network(input_UL[rows]), targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, fit.clip_norm)
            optimizer.step()
            rise.step()
            losses.append(float(loss))
            steps.append(time.perf_counter())
            worked.append(time.process_time())
    return Clock(steps=tuple(steps), worked=tuple(worked), losses=tuple(losses))


if __name__ == "__main__":
    main(FitJob, bare)
