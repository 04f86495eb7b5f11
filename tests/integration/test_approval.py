"""A person decides: a real Prefect suspends the run that asks, and goes on with the answer; no night is trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from mlflow import MlflowClient
from prefect import flow, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings
from prefect.states import AwaitingRetry, Running

from data_contracts.bundle import find_version
from data_contracts.evidence import Evidence, Interval
from data_contracts.night import Answer, HeldOut, ModelVersion, Night, Promotion, Window, Workspace
from flows.answering import main
from flows.approve import approve
from flows.nights import look
from flows.questions import NoAnswerError, NobodyAsksError, ask, questions, reply, require_served
from flows.settings import NightlySettings
from models.recommender.metrics import METRICS
from tasks.deploy.config import ServingConfig
from tasks.evaluate.pictures import pictures
from tasks.evaluate.record import record_evidence
from tasks.promote.config import GateConfig
from tasks.promote.task import promote
from tests.databases import mlflow_in
from tests.integration.conftest import ROOT, free_ports, until
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow

BUNDLE = ROOT / "tests" / "models" / "serving" / "bundles" / "format-2"
GATE = GateConfig(approval=True)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("home")
    return Workspace(name="shop", use_case="recommender", home=str(home), tracking_uri=mlflow_in(home))


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
    """The deployment as prefect.yaml has it, without a worker."""
    with get_client(sync_client=True) as client:
        client.create_deployment(
            flow_id=client.create_flow(approve),
            name="decision",
            entrypoint="flows/approve.py:approve",
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
        )


@flow(name="part of a night")
def end_of_night(workspace: Workspace, version: ModelVersion, evidence: Evidence, serving: ServingConfig) -> Promotion:
    promotion = promote(workspace, version, evidence, evening(version), GATE, HeldOut())
    return ask(workspace, promotion, evening(version), serving)


def evening(version: ModelVersion) -> Night:
    """Return the record of the night that made a version."""
    day = date(2026, 11, int(version.version))
    return Night(window=Window(first_day=day, last_day=day), windows=("a", "b"), tables={})


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
    record_evidence(workspace.tracking_uri, evidence, pictures(evidence, {}))
    return end_of_night(workspace, ModelVersion(name="shop", version=str(made.version)), evidence, serving)


def open_run(workspace: Workspace) -> FlowRun:
    """Return the one run that asks."""
    with get_client(sync_client=True) as client:
        [run] = questions(client, workspace.tags)
    return run


def go_on(run: FlowRun) -> tuple[str, str]:
    """Do what a worker's process does with a run; return the name and the message of the state that it comes to."""
    with get_client(sync_client=True) as client, suppress(Pause):
        run_flow(approve, flow_run=client.read_flow_run(run.id), parameters=run.parameters, return_type="state")
    return state_of(run)


def state_of(run: FlowRun) -> tuple[str, str]:
    """Return the name and the message of a run's state."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state
    assert state is not None
    return str(state.name), str(state.message)


def pages(run: FlowRun) -> list[str]:
    """Return what a run shows, each piece once."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_run)
    return [str(each.data) for each in found if each.type == "markdown"]


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
    assert str(first).startswith(f"waiting for approval: shop version 1. Yes or no? {first.question} NDCG@10 0.2000 on")
    assert go_on(run)[0] == "Suspended"
    monkeypatch.setenv("NIGHTSHIFT_HOME", workspace.home)
    monkeypatch.setenv("NIGHTSHIFT_PREFECT_URL", server)
    main(["--yes", "--who", "ada", "--why", "it knows the new items"])
    state, message = go_on(run)
    assert state == "Completed", message
    assert message.endswith("Asked whether to promote it, ada said yes: it knows the new items.")
    assert champion(workspace) == "1"
    [page] = pages(run)
    assert page.startswith("**Is shop version 1 to be promoted?** NDCG@10 0.2000 on 1,800 targets beats popularity")
    assert "| candidate | " in page
    assert "![evidence.png](data:image/png;base64,iVBOR" in page

    second = night(workspace, serving, tmp_path)
    with pytest.raises(SystemExit, match="no question of 'shop' waits for an answer"):
        main(["--no", "--why", "it was not shown yet"])
    run = open_run(workspace)
    assert go_on(run)[0] == "Suspended"
    assert str(look(NightlySettings()).asked()).startswith("['shop-2026-11-02-version-2 waits for a yes or a no since")
    again = ask(workspace, second, evening(second.version), serving)
    assert again.question == second.question, "the same night again asks once"
    main(["--no", "--who", "bob", "--why", "not on a Friday"])
    state, message = go_on(run)
    assert (state, message.partition(".")[0]) == ("Completed", "not promoted: shop version 2")
    assert message.endswith("Asked whether to promote it, bob said no: not on a Friday.")
    assert champion(workspace) == "1"


@pytest.mark.usefixtures("deployed")
def test_a_newer_decision_replaces_a_question_and_an_answer_that_comes_too_late_changes_nothing(
    workspace: Workspace, serving: ServingConfig, server: str, tmp_path: Path
) -> None:
    third = night(workspace, serving, tmp_path)
    run = open_run(workspace)
    assert go_on(run)[0] == "Suspended"
    night(workspace, serving, tmp_path)
    assert state_of(run) == ("Replaced", "Nobody answered in time: version 4 was decided about.")
    waiting = open_run(workspace)
    assert go_on(waiting)[0] == "Suspended"
    reply(workspace.tags, Answer(yes=True, who="ada", why="good"))
    night(workspace, serving, tmp_path, better=False)
    name, message = go_on(waiting)
    assert (name, third.promoted, champion(workspace)) == ("TooLate", False, "1")
    assert message == "The answer changed nothing. ada said yes: good. But version 5 was decided about since."


class Stranger(BaseHTTPRequestHandler):
    """Answers where the model server should be, and is none."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


@pytest.mark.usefixtures("deployed")
def test_an_answer_that_failed_is_given_again_on_the_page_or_from_the_command_line(
    workspace: Workspace, serving: ServingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_HOME", workspace.home)
    night(workspace, serving, tmp_path)
    run = open_run(workspace)
    version, before = run.parameters["version"]["version"], champion(workspace)
    assert go_on(run)[0] == "Suspended"
    port = int(serving.rest_url.rpartition(":")[2])
    with ThreadingHTTPServer(("127.0.0.1", port), Stranger) as stranger:
        Thread(target=stranger.serve_forever, daemon=True).start()
        reply(workspace.tags, Answer(yes=True, who="ada", why="good"))
        name, message = go_on(run)
        assert (name, champion(workspace)) == ("Failed", before), message
        assert "is no model server of ours" in message
        assert "`python -m flows.approve` answers it again" in str(look(NightlySettings()).problems(None))
        with get_client(sync_client=True) as client:  # what its page does: Retry, then Resume
            client.set_flow_run_state(run.id, AwaitingRetry())
            assert go_on(run)[0] == "Suspended"
            client.resume_flow_run(run.id, run_input={"promote": "yes", "who": "ada", "why": "once more"})
        assert go_on(run)[0] == "Failed"
        stranger.shutdown()
    shown = pages(run)
    assert len(shown) == 2, "once a question, though the run begins four times"
    assert sum(page.startswith("ada said yes: good. That may not have been carried out") for page in shown) == 1
    with ThreadPoolExecutor(1) as threads:
        again = threads.submit(copy_context().run, reply, workspace.tags, Answer(yes=True, who="bob", why="it is back"))
        assert until(lambda: again.done() or state_of(run)[0] == "AwaitingRetry", LONG_SECONDS)
        assert go_on(run)[0] in {"Suspended", "Resuming"}, "it asked, and may have been answered already"
        assert again.result(LONG_SECONDS).id == run.id
    name, message = go_on(run)
    assert (name, champion(workspace)) == ("Completed", version), message
    with pytest.raises(NoAnswerError, match="no question of 'shop' waits for an answer"):
        reply(workspace.tags, Answer(yes=False, who="eve", why="too late"))
    with get_client(sync_client=True) as client:  # as it stays where its machine is gone
        client.set_flow_run_state(run.id, Running(), force=True)
    with pytest.raises(NoAnswerError, match=r"is Running: it has an answer, .* cancel it on its page"):
        reply(workspace.tags, Answer(yes=True, who="eve", why="where is it?"))
