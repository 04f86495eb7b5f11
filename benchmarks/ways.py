"""Train several jobs in the same processes, one after the other: ``benchmarks.ways job.json`` under torchelastic.

Most of a short training's time is the start of its processes; here it is spent once, and so are the imports: ranks are
forks of what imported this.
"""
# ruff: noqa: F401

from __future__ import annotations

from pathlib import Path

import mlflow.store.tracking.sqlalchemy_store

import models.recommender.data
import models.recommender.module
import models.recommender.use_case
import models.risk.data
import models.risk.module
import models.risk.use_case
import models.vision.data
import models.vision.module
import models.vision.use_case
from data_contracts.job import RESULT, FitJob, FitResult, commit
from data_contracts.night import Value
from data_contracts.process import main
from models.fit import train


class Ways(Value):
    """Trainings of as many processes."""

    jobs: tuple[FitJob, ...]


class Trained(Value):
    """What came out, in order."""

    results: tuple[FitResult, ...]


def train_all(ways: Ways) -> Trained | None:
    """Train every job; only the first process returns what came out."""
    results = []
    for job in ways.jobs:
        result = train(job)
        if result is not None:
            commit(result, Path(job.run_folder) / RESULT)
            results.append(result)
    return Trained(results=tuple(results)) if results else None


if __name__ == "__main__":
    main(Ways, train_all)
