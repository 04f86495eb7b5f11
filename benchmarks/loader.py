"""The project's loader alone: ``benchmarks.loader job.json`` pads every batch of some epochs, and trains on none."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.clock import Clock
from data_contracts.job import FitJob
from data_contracts.process import main
from models.batches import Batches, shuffled
from models.recommender.data import RecommenderData

EPOCHS = 10


def loader(job: FitJob) -> Clock:
    """Return when each batch was ready."""
    torch.set_num_threads(job.parallelism.threads_per_process)
    data = RecommenderData(job)
    data.setup("fit")
    ready = []
    for epoch in range(EPOCHS):
        random = np.random.default_rng([data.config.fit.seed, epoch])
        order = shuffled(data.training.lengths(), data.config.fit.batch_size, random)
        for _ in Batches(data.training, order, data.config.fit.batch_size, rank=0, world_size=1):
            ready.append(time.perf_counter())
    return Clock(steps=tuple(ready))


if __name__ == "__main__":
    main(FitJob, loader)
