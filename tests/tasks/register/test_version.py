from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from data_contracts.bundle import download_bundle, fetch_bundle, read_record
from data_contracts.evidence import Evidence
from data_contracts.manifest import verify
from data_contracts.night import Candidate, Night, Window, Workspace
from models.recommender.config import RecommenderConfig
from models.recommender.metrics import METRICS as BY
from tasks.job import JobFailedError
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.register.version import register_once
from tests.killing import Killed, killed_at
from tests.models.serving.tiny_shop import WINDOWS, new_run, write_tables, write_weights

METRICS = {"candidate": {"ndcg@10": 0.2}, "popularity": {"ndcg@10": 0.1}}


House = tuple[Workspace, Candidate, Night]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A night that was trained and judged."""
    home = tmp_path_factory.mktemp("home")
    tracking_uri, run_id = new_run(home)
    workspace = Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=tracking_uri)
    tables = write_tables(Path(workspace.tables))
    write_weights(home / "weights")
    candidate = Candidate(run_id=run_id, checkpoint=str(home / "weights"), trained_through=WINDOWS[0])
    window = Window(first_day=date(2026, 1, 7), last_day=date(2026, 1, 7))
    return workspace, candidate, Night(window=window, windows=WINDOWS, tables=tables.versions)


def test_a_run_becomes_one_version_with_its_evidence_beside_it(house: House, tmp_path: Path) -> None:
    workspace, candidate, night = house
    evidence = Evidence(by=BY, run_id=candidate.run_id, metrics=METRICS, ahead={}, counts={"units": 3})
    run = Path(workspace.runs, candidate.run_id)
    told = {"fit-from-nothing/agents/127.0.0.1/log.txt", "fit-from-nothing/ledger/1-0-0.jsonl", "evaluate/result.json"}
    heavy = {
        *("fit-from-nothing/training/step-0000000009/manifest.json", "fit-from-nothing/checkpoint/model.safetensors"),
        *("fit-from-version-1/.checkpoint.staged/model.safetensors", "champion/version-1/model.safetensors"),
    }
    for file in (run / name for name in told | heavy):
        file.parent.mkdir(parents=True)
        file.touch()
    with pytest.raises(Killed), killed_at("version", "after"):
        register_once(workspace, candidate, evidence, night, RecommenderConfig(), FeatureConfig())
    version = register_once(workspace, candidate, evidence, night, RecommenderConfig(), FeatureConfig())
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    (found,) = client.search_model_versions("name = 'shop'")
    assert (found.run_id, str(found.version)) == (candidate.run_id, version.version)
    left = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    published = {f"publish/{name}" for name in ("job.json", "result.json", "log.txt", ".lock")}
    assert left == told | published, "what is heavy is in the version, what tells of the run stays"
    assert Night.model_validate_json(found.tags["nightshift.night"]) == night
    assert found.tags["nightshift.trained_through"] == WINDOWS[0]
    assert json.loads(found.tags["nightshift.metrics"]) == METRICS
    assert json.loads(found.tags["nightshift.table_ids"]).keys() == night.tables.keys()
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert found.tags.get("nightshift.git_commit", "") == head.stdout.strip()
    bundle = download_bundle(workspace.tracking_uri, "shop", version.version, tmp_path)
    verify(bundle)
    record = read_record(bundle)
    assert (record.tables.folder, record.tables.versions) == (workspace.tables, night.tables)

    folder = tmp_path / "kept" / "champion-1"
    made = []
    for _ in range(2):
        assert fetch_bundle(workspace.tracking_uri, "shop", version.version, folder) == folder
        made.append(((folder / "manifest.json").stat().st_ino, (folder / "manifest.json").stat().st_mtime_ns))
    assert made[0] == made[1], "a whole bundle that is there is kept"
    assert [path.name for path in folder.parent.iterdir()] == ["champion-1"]


def test_a_candidate_without_weights_is_refused_with_the_jobs_last_words(house: House, tmp_path: Path) -> None:
    workspace, candidate, night = house
    _, run_id = new_run(Path(workspace.home))
    lost = candidate.model_copy(update={"run_id": run_id, "checkpoint": str(tmp_path / "lost")})
    evidence = Evidence(by=BY, run_id=run_id, metrics=METRICS, ahead={}, counts={})
    with pytest.raises(JobFailedError, match=r"(?s)DamagedError: .*/lost .*no readable manifest"):
        register_once(workspace, lost, evidence, night, RecommenderConfig(), FeatureConfig())
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    assert not client.search_model_versions(f"run_id = '{run_id}'")
