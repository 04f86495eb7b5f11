from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_contracts.job import JOB, RESULT, FitResult, TablesAt, commit, read
from models.risk.module import RiskModule
from models.risk.rows import known_parties
from models.risk.weights import PARTY_ROWS, TENSORS, load
from models.weights import WeightsError
from tasks.job import LOG
from tests.models.ranks import run_ranks
from tests.models.risk.tables import CONFIG, JUDGED, KNOWN, fit_job, in_a_run

EXACT = {**CONFIG, "fit": {"batch_size": 64, "max_epochs": 2, "warm_up_steps": 5, "precision": "64-true"}}


def train(folder: Path, tables: TablesAt, **parallelism: object) -> FitResult:
    job = in_a_run(fit_job(folder, tables, EXACT, **parallelism))
    commit(job, folder / JOB)
    run_ranks(folder / JOB, job.parallelism.worlds[0], {"OMP_NUM_THREADS": "1"}, folder / LOG)
    assert (folder / RESULT).exists(), (folder / LOG).read_text()
    return read(folder / RESULT, FitResult)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tables: TablesAt) -> FitResult:
    return train(tmp_path_factory.mktemp("alone"), tables, processes_per_node=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        {"processes_per_node": 2},
        {"processes_per_node": 2, "strategy": "fsdp"},
        {"processes_per_node": 2, "strategy": "pipeline", "pipeline_stages": 2, "microbatches": 2},
    ],
    ids=lambda way: str(way.get("strategy", "ddp")),
)
def test_every_way_of_splitting_comes_to_what_one_process_does(
    tmp_path: Path, tables: TablesAt, alone: FitResult, way: dict[str, object]
) -> None:
    result = train(tmp_path, tables, **way)
    one, other = (load_file(Path(each.checkpoint) / TENSORS) for each in (alone, result))
    torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    assert result.metrics == pytest.approx(alone.metrics, rel=1e-6)


def test_more_is_known_after_a_warm_start_and_nothing_is_forgotten(
    tables: TablesAt, weights: Path, tmp_path: Path
) -> None:
    job = fit_job(tmp_path, tables, CONFIG)
    later = job.model_copy(update={"known_windows": (*KNOWN, JUDGED), "warm_start": str(weights)})
    module, before = RiskModule.of(later), load(weights)
    assert module.network.parties == known_parties(tables, (*KNOWN, JUDGED)) > before.parties
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(module.network.state_dict()[name][: len(tensor)], tensor)
    assert not module.network.state_dict()[PARTY_ROWS][before.parties + 1 :].any(), "who is new begins as anybody"


def test_weights_of_another_shape_are_refused_with_what_differs(
    tables: TablesAt, weights: Path, tmp_path: Path
) -> None:
    wider = {**CONFIG, "network": {"width": 9, "hidden": 2, "party_width": 2}}
    job = fit_job(tmp_path, tables, wider).model_copy(update={"warm_start": str(weights)})
    with pytest.raises(WeightsError, match=r"last.weight: \(1, 8\), wanted \(1, 9\)"):
        RiskModule.of(job)


def test_a_network_knows_mean_and_deviation_of_what_it_learns_from(tables: TablesAt, tmp_path: Path) -> None:
    network = RiskModule.of(fit_job(tmp_path, tables, CONFIG)).network
    assert network.first.mean_F.ne(0).sum() > 30
    assert network.first.deviation_F.ge(1e-3 * 0.999).all()
