from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from pydantic import BaseModel, JsonValue

from data_contracts.bundle import BUNDLE
from data_contracts.job import RESULT, Heartbeat
from data_contracts.manifest import seal
from data_contracts.night import Candidate, Night, Window, Workspace
from data_contracts.parallelism import ParallelismConfig
from models.fit_config import FitConfig
from models.recommender.config import NetworkConfig, OptimizerConfig, RecommenderConfig
from models.recommender.record import read_record
from models.recommender.weights import load
from models.rows.weights import TENSORS
from tasks.champion import table_ids
from tasks.job import JobFailedError
from tasks.train.candidate import CANDIDATE, train_candidate
from tasks.train.config import TrainConfig
from tasks.train.run import find_or_make_run, key_of
from tests.databases import mlflow_in
from tests.models.recommender.tables import write_tables
from tests.models.recommender.walks import walks

pytestmark = pytest.mark.slow

WINDOWS = {"2026-11-01": 8, "2026-11-02": 3, "2026-11-03": 2, "2026-11-04": 2}
MODEL = RecommenderConfig(
    network=NetworkConfig(width=16, blocks=1),
    optimizer=OptimizerConfig(learning_rate=0.01),
    fit=FitConfig(batch_size=32, max_epochs=2, warm_up_steps=5),
)
TRAIN = TrainConfig(parallelism=ParallelismConfig(processes_per_node=1))


class Features(BaseModel):
    max_length: int = 8


class House:
    """A workspace with tables of four windows, and the nights that judge by the third and the fourth."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.cluster = cluster
        self.lines: list[str] = []
        self.heartbeats: list[Heartbeat] = []
        tracking_uri = mlflow_in(home)
        self.workspace = Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=tracking_uri)
        self.client = MlflowClient(tracking_uri=tracking_uri)
        self.tables = write_tables(Path(self.workspace.tables), walks(WINDOWS, users=150), max_length=8)

    def night(self, windows: int) -> Night:
        keys = tuple(WINDOWS)[:windows]
        day = date.fromisoformat(keys[-1])
        return Night(window=Window(first_day=day, last_day=day), windows=keys, tables=self.tables.versions)

    def train(self, windows: int, model: RecommenderConfig = MODEL, cluster: str | None = None) -> Candidate:
        self.lines.clear()
        cluster = self.cluster if cluster is None else cluster
        night = self.night(windows)
        return train_candidate(
            self.workspace, night, TRAIN, model, Features(), cluster, self.lines.append, self.heartbeats.append
        )

    def run(self, candidate: Candidate) -> Run:
        return self.client.get_run(candidate.run_id)

    def promote(self, candidate: Candidate) -> None:
        """Ship the candidate's weights as `register` does, and make it champion."""
        folder = Path(self.workspace.home) / "shipped"
        bundle = folder / "artifacts" / BUNDLE
        shutil.copytree(candidate.checkpoint, bundle)
        seal(bundle)
        model = self.client.create_logged_model(self.run(candidate).info.experiment_id, name="model")
        self.client.log_model_artifacts(model.model_id, str(folder))
        self.client.finalize_logged_model(model.model_id, "READY")
        self.client.create_registered_model("shop")
        ids = json.dumps(table_ids(self.workspace, self.tables.versions))
        tags = {"nightshift.trained_through": candidate.trained_through, "nightshift.table_ids": ids}
        version = self.client.create_model_version(
            "shop", f"models:/{model.model_id}", run_id=candidate.run_id, model_id=model.model_id, tags=tags
        )
        self.client.set_registered_model_alias("shop", "champion", version.version)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("home"), cluster)
    mlflow.set_tracking_uri(made.workspace.tracking_uri)  # the store looks up a version's source by it
    yield made
    mlflow.set_tracking_uri("")


@pytest.fixture(scope="module")
def first(house: House) -> Candidate:
    return house.train(windows=3)


def test_the_first_candidate_starts_from_nothing_on_all_but_the_judging_window(house: House, first: Candidate) -> None:
    assert first.trained_through == "2026-11-02"
    assert load(Path(first.checkpoint)).network.items == 40
    job = json.loads((Path(first.checkpoint).parent / "job.json").read_text())
    assert (job["windows"], job["replayed"], job["warm_start"]) == (["2026-11-01", "2026-11-02"], [], None)
    assert Path(job["run_folder"]).name == "fit-from-nothing"


def test_it_is_heard_how_far_a_training_is(house: House, first: Candidate) -> None:
    assert house.heartbeats
    assert all(0 < heartbeat.share <= 1 for heartbeat in house.heartbeats)


def test_its_run_says_what_went_in_and_what_came_out(house: House, first: Candidate) -> None:
    run = house.run(first)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.network.width"] == "16"
    assert run.data.params["train.parallelism.processes_per_node"] == "1"
    assert run.data.tags["nightshift.trained_through"] == "2026-11-02"
    assert "no champion" in run.data.tags["nightshift.start"]
    assert run.inputs is not None
    assert {(found.dataset.name, found.dataset.digest) for found in run.inputs.dataset_inputs} == {
        (name, "version-0") for name in house.tables.versions
    }
    assert len(house.client.get_metric_history(first.run_id, "validation/ndcg_at_10")) == 2


def test_a_run_whose_maker_died_gets_its_settings_and_tables(house: House) -> None:
    night = house.night(windows=3)
    settings: dict[str, dict[str, JsonValue]] = {"model": {"width": 1}}
    key = key_of("shop", night, settings)
    made = house.client.create_run("1", tags={"nightshift.key": key}).info.run_id
    for _ in range(2):
        assert find_or_make_run(house.workspace, night, settings) == made
    run = house.client.get_run(made)
    assert run.data.params == {"model.width": "1"}
    assert run.inputs is not None
    assert len(run.inputs.dataset_inputs) == len(house.tables.versions)


def test_a_night_trained_already_is_only_read(house: House, first: Candidate) -> None:
    assert house.train(windows=3, cluster="tcp://127.0.0.1:1") == first
    assert "nothing to do" in house.lines[-1]


@pytest.mark.parametrize("killed_before_it_was_kept", [False, pytest.param(True, marks=pytest.mark.drill)])
def test_damaged_weights_are_made_again_from_the_trainings_checkpoints(
    house: House, first: Candidate, *, killed_before_it_was_kept: bool
) -> None:
    weights = Path(first.checkpoint) / TENSORS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    if killed_before_it_was_kept:
        (Path(house.workspace.runs) / first.run_id / CANDIDATE).unlink()
    assert house.train(windows=3) == first
    assert weights.read_bytes() == whole
    assert any("damaged" in line and "'model.safetensors': sha256 is" in line for line in house.lines)
    assert not any("epoch 0:" in line for line in house.lines)


@pytest.mark.drill
def test_answers_that_cannot_be_read_are_given_again(house: House, first: Candidate) -> None:
    kept = Path(house.workspace.runs) / first.run_id / CANDIDATE
    result = Path(first.checkpoint).parent / RESULT
    kept.write_text('{"of": "an older schema"}')
    result.write_bytes(b"\xff")
    assert house.train(windows=3) == first
    assert [line for line in house.lines if f"{kept} cannot be read, and is made again" in line]
    assert [line for line in house.lines if f"{result} is no answer any more, it cannot be read" in line]
    house.train(windows=3, cluster="tcp://127.0.0.1:1")


def test_a_training_that_fails_marks_its_run_as_failed(house: House) -> None:
    wild = MODEL.model_copy(update={"optimizer": OptimizerConfig(learning_rate=1e30)})
    with pytest.raises(JobFailedError, match="DivergedError"):
        house.train(windows=3, model=wild)
    failed = house.client.search_runs(["1"], filter_string="attributes.status = 'FAILED'")
    assert [run.data.params["model.optimizer.learning_rate"] for run in failed] == ["1e+30"]


def test_the_next_night_goes_on_from_the_champion_with_some_of_the_past(house: House, first: Candidate) -> None:
    house.promote(first)
    second = house.train(windows=4)
    assert second.trained_through == "2026-11-03"
    job = json.loads((Path(second.checkpoint).parent / "job.json").read_text())
    assert (job["windows"], job["replayed"]) == (["2026-11-03"], ["2026-11-01", "2026-11-02"])
    assert job["replay"] == 1.0
    assert Path(job["run_folder"]).name == "fit-from-version-1"
    assert read_record(Path(job["warm_start"])).known_items == 40
    assert any("from version 1, trained through 2026-11-02" in line for line in house.lines)
    assert any("epoch 0: " in line for line in house.lines)

    shutil.rmtree(first.checkpoint)  # as register does once there is a version
    assert house.train(windows=3, cluster="tcp://127.0.0.1:1") == first
