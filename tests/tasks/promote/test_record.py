from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from data_contracts.bundle import find_version
from data_contracts.evidence import Evidence, Interval
from data_contracts.night import HeldOut, ModelVersion, Night, Promotion, Protocol, Window, Workspace
from models.recommender.metrics import METRICS
from tasks.promote.config import GateConfig
from tasks.promote.record import decide_once
from tests.databases import mlflow_in
from tests.killing import Killed, Moment, killed_at

COUNTS = {"window_targets": 2_000, "window_units": 300, "targets": 1_800, "units": 280}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("home")
    return Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=mlflow_in(home))


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> MlflowClient:
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    client.create_registered_model("shop")
    return client


def new_version(client: MlflowClient, folder: Path) -> ModelVersion:
    return ModelVersion(name="shop", version=str(client.create_model_version("shop", str(folder)).version))


def promoted(
    workspace: Workspace,
    version: ModelVersion,
    candidate: float,
    protocol: Protocol = "nightly",
    *,
    approval: bool = False,
) -> Promotion:
    metrics = {"candidate": {"ndcg@10": candidate}, "popularity": {"ndcg@10": 0.05}}
    day = date(2026, 11, 3)
    night = Night(window=Window(first_day=day, last_day=day), windows=("a", "b"), tables={}, protocol=protocol)
    evidence = Evidence(
        by=METRICS.model_copy(update={"baselines": ("popularity",)}),
        run_id="run",
        metrics=metrics,
        ahead={"popularity": Interval(low=candidate - 0.05, high=candidate - 0.05)},
        counts=COUNTS,
    )
    return decide_once(workspace, version, evidence, night, GateConfig(approval=approval), HeldOut())


def alias(workspace: Workspace, name: str) -> str | None:
    version = find_version(workspace.tracking_uri, "shop", name)
    return None if version is None else str(version.version)


def test_a_decision_is_recorded_on_the_version_and_stands(
    workspace: Workspace, client: MlflowClient, tmp_path: Path
) -> None:
    compared = new_version(client, tmp_path)
    assert not promoted(workspace, compared, 0.2, protocol="leave_one_out").promoted
    assert alias(workspace, "challenger") is None

    first = new_version(client, tmp_path)
    decided = promoted(workspace, first, candidate=0.2)
    assert decided.promoted
    assert decided.previous is None
    assert alias(workspace, "challenger") == first.version
    assert alias(workspace, "champion") is None
    tags = client.get_model_version("shop", first.version).tags
    assert tags["nightshift.promoted"] == "true"
    assert tags["nightshift.reason"] == decided.reason

    client.set_registered_model_alias("shop", "champion", first.version)
    assert not decided.stands
    again = promoted(workspace, first, candidate=0.01)
    assert again == decided.model_copy(update={"stands": True}), "the version is champion by now"
    assert str(again) == f"no new decision: shop version {first.version} stays promoted. {decided.reason}"

    second = promoted(workspace, new_version(client, tmp_path), candidate=0.01)
    assert not second.promoted
    assert second.previous == first.version
    assert alias(workspace, "challenger") == second.version.version
    assert alias(workspace, "champion") == first.version


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("point", ["challenger", "decision"])
def test_a_decision_broken_off_is_made_once(
    workspace: Workspace, client: MlflowClient, tmp_path: Path, point: str, moment: Moment
) -> None:
    version = new_version(client, tmp_path)
    with pytest.raises(Killed), killed_at(point, moment):
        promoted(workspace, version, candidate=0.2)
    decided = promoted(workspace, version, candidate=0.2)
    assert decided.model_copy(update={"stands": True}) == promoted(workspace, version, candidate=0.01)
    assert alias(workspace, "challenger") == version.version


def test_a_version_that_is_not_there_is_an_error(workspace: Workspace, client: MlflowClient) -> None:
    with pytest.raises(LookupError, match="has no version '99'"):
        promoted(workspace, ModelVersion(name="shop", version="99"), candidate=0.2)
