from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import mlflow
import pytest
import torch
from mlflow import MlflowClient
from pydantic import BaseModel

from data_contracts.bundle import BUNDLE
from data_contracts.evidence import Evidence
from data_contracts.manifest import seal
from data_contracts.night import Candidate, Night, Window, Workspace
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.weights import Weights, new_network, save
from models.rows.weights import TENSORS
from tasks.champion import find_anchor, find_champion, table_ids
from tasks.evaluate.judge import judge
from tasks.evaluate.record import learned
from tasks.evaluate.shown import as_markdown
from tasks.job import JobFailedError
from tests.databases import mlflow_in
from tests.models.recommender.tables import Events, write_tables

PAST: dict[str, Events] = {"ann": [1, 2, 3, 1], "bob": [1, 2, 4], "cat": [2, 5]}
YESTERDAY: dict[str, Events] = {"dan": [3]}
JUDGED: dict[str, Events] = {"ann": [4, 5], "bob": [3]}
WINDOWS = {"2026-11-01": PAST, "2026-11-02": YESTERDAY, "2026-11-03": JUDGED}
MODEL = RecommenderConfig(network=NetworkConfig(width=8))


class Features(BaseModel):
    max_length: int = 4


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("home")
    return Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=mlflow_in(home))


@pytest.fixture(scope="module")
def night(workspace: Workspace) -> Night:
    day = date(2026, 11, 3)
    tables = write_tables(Path(workspace.tables), WINDOWS)
    return Night(window=Window(first_day=day, last_day=day), windows=tuple(WINDOWS), tables=tables.versions)


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[MlflowClient]:
    mlflow.set_tracking_uri(workspace.tracking_uri)  # the store looks up a version's source by it
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    client.create_experiment("shop", artifact_location=f"{workspace.home}/artifacts")
    client.create_registered_model("shop")
    yield client
    mlflow.set_tracking_uri("")


def new_candidate(client: MlflowClient, workspace: Workspace) -> Candidate:
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    run_id = client.create_run(experiment.experiment_id).info.run_id
    folder = Path(workspace.runs) / run_id / "weights"
    write_weights(folder)
    return Candidate(run_id=run_id, checkpoint=str(folder), trained_through="2026-11-02")


def write_weights(folder: Path) -> None:
    torch.manual_seed(0)
    features = Features().model_dump()
    save(Weights(new_network(5, MODEL, features), MODEL, features), folder)
    seal(folder)


def publish_champion(client: MlflowClient, folder: Path, tags: dict[str, str]) -> str:
    """Register what is in ``folder`` as a LoggedModel, make it champion, and return its version."""
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    model = client.create_logged_model(experiment.experiment_id, name="model")
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    version = client.create_model_version("shop", f"models:/{model.model_id}", model_id=model.model_id, tags=tags)
    client.set_registered_model_alias("shop", "champion", version.version)
    return str(version.version)


def tags_of(workspace: Workspace, night: Night, trained_through: str) -> dict[str, str]:
    ids = json.dumps(table_ids(workspace, night.tables))
    return {"nightshift.trained_through": trained_through, "nightshift.table_ids": ids}


def judged(workspace: Workspace, candidate: Candidate, night: Night) -> Evidence:
    return judge(workspace, candidate, night, MODEL, Features())


def test_the_first_candidate_is_judged_against_the_baselines_and_its_evidence_recorded_once(
    workspace: Workspace, night: Night, client: MlflowClient
) -> None:
    candidate = new_candidate(client, workspace)
    evidence = judged(workspace, candidate, night)
    assert list(evidence.metrics) == ["candidate", "popularity", "markov"]
    assert evidence.counts["targets"] == 3
    metrics = client.get_run(candidate.run_id).data.metrics
    assert metrics["candidate.ndcg_at_10"] == evidence.metrics["candidate"]["ndcg@10"]
    slices = evidence.slices
    assert {name: part.units for name, part in slices.items()} == {"tail_items": 1}
    assert metrics["candidate.ndcg_at_10.tail_items"] == slices["tail_items"].metrics["candidate"]["ndcg@10"]
    artifacts = {artifact.path for artifact in client.list_artifacts(candidate.run_id)}
    assert artifacts == {"evidence.json", "evidence.png", "slices.png"}
    elsewhere = candidate.model_copy(update={"checkpoint": "gone"})
    assert judged(workspace, elsewhere, night) == evidence
    client.log_text(candidate.run_id, evidence.model_dump_json()[:100], "evidence.json")  # as a kill may leave it
    assert judged(workspace, candidate, night) == evidence


def test_the_champion_is_fetched_and_judged_on_the_same_targets_unless_it_is_damaged(
    workspace: Workspace, night: Night, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = tmp_path / "artifacts" / BUNDLE
    write_weights(bundle)
    tags = tags_of(workspace, night, trained_through="2026-11-01")
    publish_champion(client, tmp_path, tags)
    candidate = new_candidate(client, workspace)
    fetched = find_champion(workspace, night, candidate.run_id)
    assert fetched is not None
    (Path(fetched.bundle) / TENSORS).write_bytes(b"broken since it was fetched")
    evidence = judged(workspace, candidate, night)
    assert evidence.metrics["champion"] == evidence.metrics["candidate"]
    assert evidence.left_out == {}
    assert "is damaged, and fetched again: 'model.safetensors': sha256" in caplog.text

    (bundle / TENSORS).write_bytes(b"broken where MLflow keeps it")
    publish_champion(client, tmp_path, tags)
    evidence = judged(workspace, new_candidate(client, workspace), night)
    assert list(evidence.metrics) == ["candidate", "popularity", "markov"]
    assert "version 2 is damaged in MLflow" in evidence.left_out["champion"]
    assert "'model.safetensors': sha256" in evidence.left_out["champion"]
    assert evidence.champion_damaged


def test_the_best_champion_before_is_judged_again(
    workspace: Workspace, night: Night, client: MlflowClient, tmp_path: Path
) -> None:
    write_weights(tmp_path / "artifacts" / BUNDLE)
    tags = tags_of(workspace, night, trained_through="2026-11-01")
    best = publish_champion(client, tmp_path, tags)
    itself = publish_champion(client, tmp_path, tags)
    client.set_model_version_tag("shop", itself, "nightshift.anchor", itself)
    champion = find_champion(workspace, night, "run")
    assert champion is not None
    assert find_anchor(workspace, night, "run", champion) is None, "the champion itself is the best of all"
    client.set_model_version_tag("shop", itself, "nightshift.anchor", best)
    evidence = judged(workspace, new_candidate(client, workspace), night)
    assert evidence.metrics["anchor"] == evidence.metrics["champion"]
    assert evidence.versions == {"champion": itself, "anchor": best}
    assert evidence.ahead["anchor"].high == 0
    assert f"anchor (version {best}) +0.0000 to +0.0000" in as_markdown(evidence)


def test_a_champion_whose_bundle_is_gone_is_left_out(
    workspace: Workspace, night: Night, client: MlflowClient, tmp_path: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    publish_champion(client, tmp_path, tags_of(workspace, night, trained_through="2026-11-01"))
    evidence = judged(workspace, new_candidate(client, workspace), night)
    assert "has no bundle in MLflow any more" in evidence.left_out["champion"]


def test_a_candidate_whose_weights_are_damaged_is_not_judged(
    workspace: Workspace, night: Night, client: MlflowClient
) -> None:
    candidate = new_candidate(client, workspace)
    (Path(candidate.checkpoint) / TENSORS).write_bytes(b"broken")
    with pytest.raises(JobFailedError, match=r"(?s)'candidate' cannot rank.*sha256.*started again"):
        judged(workspace, candidate, night)


def test_a_champion_that_learned_from_the_judging_window_is_left_out(
    workspace: Workspace, night: Night, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_weights(tmp_path / "artifacts" / BUNDLE)
    publish_champion(client, tmp_path, tags_of(workspace, night, trained_through="2026-11-03"))
    with caplog.at_level(logging.WARNING):
        evidence = judged(workspace, new_candidate(client, workspace), night)
    assert list(evidence.metrics) == ["candidate", "popularity", "markov"]
    assert "was trained through 2026-11-03, which is no window before" in evidence.left_out["champion"]
    assert "The champion is not judged: version " in caplog.text
    assert "Not judged, champion: version " in as_markdown(evidence)


def test_what_a_training_logged_is_a_curve_by_epoch_whatever_was_done_again(
    client: MlflowClient, workspace: Workspace
) -> None:
    run = new_candidate(client, workspace).run_id
    assert learned(client.tracking_uri, run) == {}
    for moment, (epoch, loss) in enumerate([(0, 0.9), (1, 0.8), (1, 0.7), (2, 0.6)]):
        told = {"epoch": float(epoch), "train/loss": loss, "validation/mrr": 1 - loss, "train/learning_rate": 0.1}
        for name, value in told.items():
            client.log_metric(run, name, value, timestamp=moment, step=10 * epoch + 9)
    client.log_metric(run, "epoch", 3.0, timestamp=9, step=29)  # as Lightning does when it ends
    found = learned(client.tracking_uri, run)
    assert found["train/loss"] == {1: 0.9, 2: 0.7, 3: 0.6}
    assert list(found) == ["train/loss", "validation/mrr"]
