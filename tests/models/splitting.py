"""Trainings of one use case, split between processes in every way, that are to come to the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from data_contracts.bundle import training_settings
from data_contracts.job import JOB, RESULT, FitJob, FitResult, commit, read
from data_contracts.parallelism import ParallelismConfig
from tasks.job import LOG
from tests.databases import mlflow_in
from tests.models.ranks import run_ranks

FIT = {"batch_size": 24, "max_epochs": 2, "precision": "64-true", "warm_up_steps": 5}
in_every_way = pytest.mark.parametrize(
    "way",
    [
        {"processes_per_node": 2},
        {"processes_per_node": 2, "strategy": "fsdp"},
        {"processes_per_node": 2, "strategy": "pipeline", "pipeline_stages": 2, "microbatches": 2},
    ],
    ids=lambda way: str(way.get("strategy", "ddp")),
)


def train(job: Callable[..., FitJob], folder: Path, **parallelism: object) -> FitResult:
    """Train without a warning; ``job`` takes the folder and what is to be other than it says."""
    client = MlflowClient(tracking_uri=mlflow_in(folder))
    run = client.create_run(client.create_experiment("split", str(folder / "artifacts"))).info.run_id
    way = ParallelismConfig.model_validate({"max_restarts": 0} | parallelism)
    commit(job(folder, parallelism=way, tracking_uri=client.tracking_uri, run_id=run), folder / JOB)
    run_ranks(folder / JOB, way.worlds[0], {"OMP_NUM_THREADS": "1"}, folder / LOG)
    said = (folder / LOG).read_text()
    assert (folder / RESULT).exists(), said
    assert "Warning" not in said
    return read(folder / RESULT, FitResult)


def assert_same(result: FitResult, alone: FitResult, network: Callable[[Path], torch.nn.Module]) -> None:
    """See that two trainings learned the same; ``network`` reads what one of them learned."""
    one, other = (dict(network(Path(each.checkpoint)).named_parameters()) for each in (alone, result))
    torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)  # saved in single precision
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-6)  # a mean in single precision
    assert (result.epochs, result.samples) == (2, alone.samples)
    told, told_alone = (training_settings(Path(each.checkpoint), {}) for each in (result, alone))
    assert told == told_alone, "by these the next training knows whether it can go on from it"
