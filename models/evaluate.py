"""The job that judges: ``python -m models.evaluate job.json``."""

from __future__ import annotations

import os

import torch

from data_contracts.evidence import Judgement
from data_contracts.job import EvaluateJob
from data_contracts.process import main
from models.use_case import use_case


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant, on all cores: nothing else of the night runs meanwhile."""
    torch.set_num_threads(os.cpu_count() or 1)
    return use_case(job.use_case).evaluate(job)


if __name__ == "__main__":
    main(EvaluateJob, evaluate)
