from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from benchmarks.shards import shards
from data_contracts.job import LEDGER, CheckpointConfig, FitJob, FitResult, TablesAt
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE
from models.audit import account
from models.risk.module import RiskModule
from models.risk.rows import known_parties
from models.risk.weights import PARTY_ROWS, load
from models.weights import WeightsError
from tests.databases import mlflow_in
from tests.models.lab import Lab
from tests.models.risk.tables import CONFIG, JUDGED, KNOWN, fit_job, in_a_run

EXACT = {**CONFIG, "fit": {"batch_size": 64, "max_epochs": 2, "warm_up_steps": 5, "precision": "64-true"}}


SHARDS = 2
SERVED = {"processes_per_node": 2, "rows": "served", "server": {"shards": SHARDS}}


def lab(folder: Path, tables: TablesAt) -> Lab:
    return Lab(folder, tables, MlflowClient(tracking_uri=mlflow_in(folder)))


def job(lab: Lab, name: str, **parallelism: object) -> FitJob:
    found = in_a_run(fit_job(lab.folder / name, lab.tables, EXACT, **parallelism))
    return found.model_copy(update={"checkpoints": CheckpointConfig(every_seconds=0.01)})


def weights_of(result: FitResult) -> dict[str, torch.Tensor]:
    network = load(Path(result.checkpoint))
    rows = torch.cat([row_RD for _, row_RD in network.first.party.blocks()])
    return {**network.state_dict(), PARTY_ROWS: rows}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tables: TablesAt) -> FitResult:
    own = lab(tmp_path_factory.mktemp("alone"), tables)
    return own.train(job(own, "alone", processes_per_node=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        {"processes_per_node": 2},
        {"processes_per_node": 2, "strategy": "fsdp"},
        {"processes_per_node": 2, "strategy": "pipeline", "pipeline_stages": 2, "microbatches": 2},
        {"processes_per_node": 2, "strategy": "pipeline", "pipeline_stages": 2, "microbatches": 2, "rows": "sharded"},
        {"processes_per_node": 3, "rows": "sharded"},
        SERVED,
    ],
    ids=lambda way: f"{way.get('strategy', 'ddp')}-{way.get('rows', 'local')}",
)
def test_every_way_of_splitting_comes_to_what_one_process_does(
    tmp_path: Path, tables: TablesAt, alone: FitResult, way: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = lab(tmp_path, tables)
    with shards(ParallelismConfig.model_validate(SERVED)) as (store, _):
        monkeypatch.setenv(STORE, store)
        result = own.train(job(own, "way", **way))
    torch.testing.assert_close(weights_of(result), weights_of(alone), rtol=1e-9, atol=1e-9)
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-6)


@pytest.mark.slow
def test_a_killed_training_goes_on_wherever_its_rows_lie_and_ends_as_if_undisturbed(
    tmp_path: Path, tables: TablesAt, alone: FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = lab(tmp_path, tables)
    begun = job(own, "killed", **SERVED)
    with shards(ParallelismConfig.model_validate(SERVED)) as (store, _):
        monkeypatch.setenv(STORE, store)
        own.killed(begun, "step", "after", 14)
    for name, rows in (("sharded", 12), ("local", 9)):
        told = ParallelismConfig.model_validate({"processes_per_node": 2, "max_restarts": 0, "rows": name})
        begun = begun.model_copy(update={"parallelism": told})
        own.killed(begun, "step", "after", rows)
    resumed = own.train(begun)
    found = account(Path(begun.run_folder) / LEDGER)
    assert found.starts == 4
    assert found.repeated < 14, "it went on from the middle of an epoch"
    torch.testing.assert_close(weights_of(resumed), weights_of(alone), rtol=1e-9, atol=1e-9)
    assert weights_of(resumed)[PARTY_ROWS].any(dim=1).sum() > 10, "and has learned of parties"


def test_more_is_known_after_a_warm_start_and_nothing_is_forgotten(
    tables: TablesAt, weights: Path, tmp_path: Path
) -> None:
    first = fit_job(tmp_path, tables, CONFIG)
    later = first.model_copy(update={"known_windows": (*KNOWN, JUDGED), "warm_start": str(weights)})
    module, before = RiskModule.of(later), load(weights)
    assert module.network.parties == known_parties(tables, (*KNOWN, JUDGED)) > before.parties
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(module.network.state_dict()[name][: len(tensor)], tensor)
    assert not module.network.state_dict()[PARTY_ROWS][before.parties + 1 :].any(), "who is new begins as anybody"


def test_weights_of_another_shape_are_refused_with_what_differs(
    tables: TablesAt, weights: Path, tmp_path: Path
) -> None:
    wider = {**CONFIG, "network": {"width": 9, "hidden": 2, "party_width": 2}}
    other = fit_job(tmp_path, tables, wider).model_copy(update={"warm_start": str(weights)})
    with pytest.raises(WeightsError, match=r"last.weight: \(1, 8\), wanted \(1, 9\)"):
        RiskModule.of(other)


def test_a_network_knows_mean_and_deviation_of_what_it_learns_from(tables: TablesAt, tmp_path: Path) -> None:
    network = RiskModule.of(fit_job(tmp_path, tables, CONFIG)).network
    assert network.first.mean_F.ne(0).sum() > 30
    assert network.first.deviation_F.ge(1e-3 * 0.999).all()
