"""Another use case than the house's trains under every way of splitting, and comes to the same."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from mlflow import MlflowClient

from data_contracts.job import JOB, RESULT, FitJob, FitResult, TablesAt, Validation, commit, read
from data_contracts.parallelism import ParallelismConfig
from data_contracts.table import Table
from tasks.job import LOG
from tests.databases import mlflow_in
from tests.models.ranks import run_ranks
from tests.parcels.contracts.trips import TRIPS
from tests.parcels.models.network import load

WINDOWS = ("2026-03-01", "2026-03-02")
FIT = {"batch_size": 24, "max_epochs": 3, "precision": "64-true"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    """Two windows of 101 trips: a batch that no number of processes divides comes last."""
    trips = Table(str(tmp_path_factory.mktemp("tables")), TRIPS)
    log_km = [math.log1p(7.0 * number) for number in range(202)]
    rows = {"log_km": log_km, "hours": [4 + 3 * each for each in log_km], "window": [*WINDOWS] * 101}
    trips.commit(trips.write(pa.table(rows), "trips"), ["parcels@0"])
    return TablesAt(folder=str(Path(trips.uri).parent), versions={"trips": 0})


def train(folder: Path, tables: TablesAt, **parallelism: object) -> FitResult:
    client = MlflowClient(tracking_uri=mlflow_in(folder))
    experiment = client.create_experiment("trips", str(folder / "artifacts"))
    job = FitJob(
        use_case="tests.parcels",
        run_folder=str(folder),
        tables=tables,
        windows=WINDOWS,
        known_windows=WINDOWS,
        validation=Validation(window=WINDOWS[1]),
        parallelism=ParallelismConfig.model_validate({"max_restarts": 0} | parallelism),
        config={"network": {"hidden": 2}, "fit": dict(FIT)},
        features={},
        tracking_uri=client.tracking_uri,
        run_id=client.create_run(experiment).info.run_id,
    )
    commit(job, folder / JOB)
    run_ranks(folder / JOB, job.parallelism.worlds[0], {"OMP_NUM_THREADS": "1"}, folder / LOG)
    assert (folder / RESULT).exists(), (folder / LOG).read_text()
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
    one, other = (load(Path(each.checkpoint)).state_dict() for each in (alone, result))
    torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)  # saved in single precision
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-5)
    assert (result.epochs, result.samples) == (3, alone.samples)


def test_the_epoch_that_is_best_is_the_one_with_the_least_error(alone: FitResult) -> None:
    assert alone.metrics["validation/mae"] > 0
    log = (Path(alone.checkpoint).parent / LOG).read_text()
    seen = [float(line.split("validation/mae ")[1].split(",")[0]) for line in log.splitlines() if "/mae " in line]
    assert len(seen) == 3
    assert min(seen) == pytest.approx(alone.metrics["validation/mae"], abs=1e-4)
