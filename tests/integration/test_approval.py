"""A person decides: a real Prefect suspends the run that asks, and goes on with the answer; no night is trained."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from data_contracts.bundle import find_version
from data_contracts.evidence import Evidence, Interval
from data_contracts.night import HeldOut, ModelVersion, Night, Promotion, Window, Workspace
from flows.answering import main
from flows.approve import approve
from flows.questions import NobodyAsksError, ask, questions, require_served
from models.recommender.metrics import METRICS
from tasks.deploy.config import ServingConfig
from tasks.evaluate.record import record_evidence
from tasks.promote.config import GateConfig
from tasks.promote.task import promote
from tests.integration.conftest import ROOT, free_ports

pytestmark = pytest.mark.slow

BUNDLE = ROOT / "tests" / "models" / "serving" / "bundles" / "format-2"
GATE = GateConfig(approval=True)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("home")
    return Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=f"sqlite:///{home}/mlflow.db")


@pytest.fixture(scope="module")
def serving() -> ServingConfig:
    """Addresses where nobody listens: the alias alone moves."""
    rest, grpc = free_ports(2)
    return ServingConfig(rest_url=f"http://127.0.0.1:{rest}", grpc_url=f"127.0.0.1:{grpc}")


@pytest.fixture(scope="module", autouse=True)
def server(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prefect's server, which this process speaks with."""
    with temporary_settings({PREFECT_API_URL: f"{prefect_server}/api", PREFECT_UI_URL: prefect_server}):
        yield prefect_server


@pytest.fixture(scope="module")
def deployed(server: str) -> None:
    approve.from_source(str(ROOT), "flows/approve.py:approve").to_deployment("decision").apply()


@flow(name="part of a night")
def end_of_night(workspace: Workspace, version: ModelVersion, evidence: Evidence, serving: ServingConfig) -> Promotion:
    day = date(2026, 11, int(version.version))
    night = Night(window=Window(first_day=day, last_day=day), windows=("a", "b"), tables={})
    promotion = promote(workspace, version, evidence, night, GATE, HeldOut())
    return ask(workspace, promotion, night, serving)


def night(workspace: Workspace, serving: ServingConfig, folder: Path, *, better: bool = True) -> Promotion:
    """Register a version with evidence that is good enough, or is not, and do what a night does with it."""
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    if not client.search_registered_models():
        client.create_registered_model("shop")
        client.create_experiment("shop", Path(workspace.home, "artifacts").as_uri())
    run = client.create_run(client.get_experiment_by_name("shop").experiment_id).info.run_id  # type: ignore[union-attr]
    shutil.copytree(BUNDLE, folder / run / "artifacts" / "bundle")
    made = client.create_model_version("shop", str(folder / run), run_id=run)
    score = 0.2 if better else 0.01
    evidence = Evidence(
        by=METRICS.model_copy(update={"baselines": ("popularity",)}),
        run_id=run,
        metrics={"candidate": {"ndcg@10": score}, "popularity": {"ndcg@10": 0.05}},
        ahead={"popularity": Interval(low=score - 0.06, high=score - 0.04)},
        counts={"window_targets": 2_000, "window_units": 300, "targets": 1_800, "units": 280},
    )
    record_evidence(workspace.tracking_uri, evidence)
    return end_of_night(workspace, ModelVersion(name="shop", version=str(made.version)), evidence, serving)


def open_run(workspace: Workspace) -> FlowRun:
    """Return the one run that asks."""
    with get_client(sync_client=True) as client:
        [run] = questions(client, workspace.tags)
    return run


def go_on(run: FlowRun) -> tuple[str, str]:
    """Do what a worker does with a run; return the name and the message of the state that it comes to."""
    command = [sys.executable, "-m", "prefect", "flow-run", "execute", str(run.id)]
    with get_client(sync_client=True) as client:
        environment = {**os.environ, "PREFECT_API_URL": str(client.api_url), "PREFECT_UI_URL": ""}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        state = client.read_flow_run(run.id).state
    assert state is not None
    return str(state.name), str(state.message)


def champion(workspace: Workspace) -> str | None:
    found = find_version(workspace.tracking_uri, "shop", "champion")
    return None if found is None else str(found.version)


def test_a_question_that_nobody_would_ask_is_refused_before_the_night() -> None:
    require_served(GateConfig())
    with pytest.raises(
        NobodyAsksError, match=r"nobody serves it at http://.*`make up` serves it; or set gate.approval"
    ):
        require_served(GATE)


@pytest.mark.usefixtures("deployed")
def test_yes_promotes_and_no_does_not(
    workspace: Workspace, serving: ServingConfig, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_served(GATE)
    first = night(workspace, serving, tmp_path)
    assert (first.waiting, first.promoted, champion(workspace)) == (True, False, None)
    run = open_run(workspace)
    assert first.question == f"{server}/runs/flow-run/{run.id}"
    assert str(first).startswith("waiting for approval: shop version 1. NDCG@10 0.2000 on 1,800 targets")
    assert go_on(run)[0] == "Suspended"
    monkeypatch.setenv("NIGHTSHIFT_HOME", workspace.home)
    monkeypatch.setenv("NIGHTSHIFT_PREFECT_URL", server)
    main(["--yes", "--who", "ada", "--why", "it knows the new items"])
    state, message = go_on(run)
    assert state == "Completed", message
    assert message.endswith("Asked whether to promote it, ada said yes: it knows the new items.")
    assert champion(workspace) == "1"
