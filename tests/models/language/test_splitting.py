"""Training comes to the same under every way of splitting, wherever stretches of text begin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from data_contracts.job import JOB, RESULT, FitResult, TablesAt, commit, read
from data_contracts.parallelism import ParallelismConfig
from models.language.weights import load
from tasks.job import LOG
from tests.data_contracts.language.made_up import stories
from tests.databases import mlflow_in
from tests.models.language.tables import NETWORK, WINDOWS, fit_job, write_tables
from tests.models.ranks import run_ranks

CONFIG = {
    "network": NETWORK,
    "context": 16,
    "fit": {"batch_size": 24, "max_epochs": 2, "precision": "64-true", "warm_up_steps": 5},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    """As many stretches as no number of processes divides."""
    texts = {window: stories(20, seed=number, sentences=5) for number, window in enumerate(WINDOWS)}
    return write_tables(tmp_path_factory.mktemp("tables"), texts)


def train(folder: Path, tables: TablesAt, **parallelism: object) -> FitResult:
    client = MlflowClient(tracking_uri=mlflow_in(folder))
    run = client.create_run(client.create_experiment("texts", str(folder / "artifacts"))).info.run_id
    way = ParallelismConfig.model_validate({"max_restarts": 0} | parallelism)
    job = fit_job(tables, folder, parallelism=way, config=CONFIG, tracking_uri=client.tracking_uri, run_id=run)
    commit(job, folder / JOB)
    run_ranks(folder / JOB, way.worlds[0], {"OMP_NUM_THREADS": "1"}, folder / LOG)
    said = (folder / LOG).read_text()
    assert (folder / RESULT).exists(), said
    assert "Warning" not in said
    return read(folder / RESULT, FitResult)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tables: TablesAt) -> FitResult:
    return train(tmp_path_factory.mktemp("alone"), tables, processes_per_node=1)


@pytest.mark.parametrize(
    "way",
    [
        {"processes_per_node": 2},
        {"processes_per_node": 2, "strategy": "fsdp"},
        {"processes_per_node": 2, "strategy": "pipeline", "pipeline_stages": 2, "microbatches": 2},
    ],
    ids=lambda way: str(way.get("strategy", "ddp")),
)
def test_it_comes_to_what_one_process_does(
    tmp_path: Path, tables: TablesAt, alone: FitResult, way: dict[str, object]
) -> None:
    result = train(tmp_path, tables, **way)
    one, other = (dict(load(Path(each.checkpoint)).network.named_parameters()) for each in (alone, result))
    torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)  # saved in single precision
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-6)  # a mean in single precision
    assert (result.epochs, result.samples) == (2, alone.samples)
