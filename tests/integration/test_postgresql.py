"""Nights whose records are PostgreSQL's, Prefect's and MLflow's: Debian's server, by settings alone.

The tests share one server, and go in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from data_contracts.table import Table
from data_contracts.use_cases import promises
from tests.integration.conftest import House, make_house
from tests.integration.deployed import Deployed, ear, save_webhook
from tests.integration.nights import SMALL, write_day
from tests.patience import LONG_SECONDS
from tests.postgres import Postgres, postgres

pytestmark = pytest.mark.slow

PASSWORD = "s3cr3t-w0rd"
SIDE_BY_SIDE = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL with two empty databases."""
    with postgres(tmp_path_factory.mktemp("postgres"), PASSWORD) as made:
        made.make("mlflow", "prefect")
        yield made


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> Iterator[House]:
    """A house for small nights that keeps its records there."""
    home = tmp_path_factory.mktemp("kept") / "home"
    addresses = {"TRACKING_URI": server.uri("mlflow"), "PREFECT_DATABASE": server.uri("prefect")}
    made = make_house(home, **SMALL, **addresses).under(**server.environment)
    with pytest.MonkeyPatch.context() as patch:  # the test asks MLflow, too
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield made
    made.run("flows.services", "down")


@pytest.fixture(scope="module")
def printed(kept: House) -> dict[str, str]:
    """What was printed, by whom."""
    return {}


def registry(house: House) -> dict[str, object]:
    """Everything of the registry, and how many runs there are."""
    client = MlflowClient(tracking_uri=house.settings().workspace().tracking_uri)
    versions = sorted(client.search_model_versions("name = 'shop'"), key=lambda each: int(each.version))
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return {
        "versions": [(each.version, sorted(each.aliases), each.tags) for each in versions],
        "runs": sorted((run.info.run_id, run.info.status, len(run.data.metrics)) for run in runs),
    }


def tables(house: House) -> dict[str, int | None]:
    """Version of every table."""
    contracts, folder = promises("recommender").contracts, house.settings().workspace().tables
    return {name: Table(folder, contract).version() for name, contract in contracts.items()}


def test_a_night_without_a_server_keeps_all_its_records_in_postgresql(
    kept: House, server: Postgres, printed: dict[str, str]
) -> None:
    for day in (1, 2, 3):
        write_day(kept, day)
    printed["first"] = kept.run("flows.nightly")
    assert "shop version 1: promoted" in printed["first"], printed["first"]
    assert server.ask("prefect", "SELECT state_name FROM flow_run") == [("Completed",)]
    assert server.ask("mlflow", "SELECT status FROM runs") == [("FINISHED",)]
    assert not list(kept.home.rglob("*.db"))


def test_servers_and_the_next_night_go_on_from_there(kept: House, server: Postgres, printed: dict[str, str]) -> None:
    printed["up"] = kept.run("flows.services", "up")
    assert printed["up"].count(" answers") == 4, printed["up"]
    write_day(kept, 4)
    printed["second"] = kept.run("flows.nightly")
    assert "shop version 2: promoted" in printed["second"], printed["second"]
    printed["status"] = kept.run("flows.services", "status")
    assert "version 2" in printed["status"], printed["status"]
    assert server.ask("prefect", "SELECT count(*) FROM flow_run WHERE state_name = 'Completed'") >= [(2,)]
    assert not list(kept.home.rglob("*.db"))


def test_the_same_night_again_changes_nothing(kept: House, printed: dict[str, str]) -> None:
    before = tables(kept), registry(kept)
    printed["again"] = kept.run("flows.nightly")
    assert "No new decision" in printed["again"], printed["again"]
    assert (tables(kept), registry(kept)) == before


def test_of_nights_that_end_badly_at_the_same_time_each_is_told_of(kept: House) -> None:
    api = f"{kept.environment['NIGHTSHIFT_PREFECT_URL']}/api"
    with ear() as (url, told):
        save_webhook(api, url)
        kept.under(NIGHTSHIFT_ALERTS__NOTIFY="custom-webhook/ops").run("flows.schedule")
        deployed = Deployed(kept.under(PREFECT_API_URL=api), told)
        flow = deployed.ask("/flows/name/nightly-retrain")["id"]

        def end_badly(number: int) -> None:
            run = deployed.ask("/flow_runs/", flow_id=flow, name=f"night-{number}")["id"]
            for state in ("PENDING", "RUNNING", "FAILED"):
                change = {"state": {"type": state, "message": f"bad {number}"}, "force": True}
                answer = httpx.post(f"{api}/flow_runs/{run}/set_state", json=change, timeout=LONG_SECONDS)
                assert answer.json()["status"] == "ACCEPT", answer.text

        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            list(threads.map(end_badly, range(SIDE_BY_SIDE)))

        def heard(number: int) -> bool:
            return any(f"night-{number}: Failed bad {number}" in " ".join(text.split()) for text in told)

        deployed.wait(lambda: all(map(heard, range(SIDE_BY_SIDE))), lambda: told)
    log = (kept.home / "services" / "prefect.log").read_text()
    assert "is locked" not in log
    assert "deadlock" not in log


def test_the_password_is_written_and_said_nowhere(kept: House, server: Postgres, printed: dict[str, str]) -> None:
    said = {**printed, **{name: server.dump(name) for name in ("prefect", "mlflow")}}
    assert server.uri("mlflow") in said["prefect"], "the parameters of a night are there"
    assert [name for name, text in said.items() if PASSWORD in text] == []
    files = [path for path in kept.home.rglob("*") if path.is_file()]
    assert {"job.json", "result.json", "worker.log", "prefect.log", "mlflow.log", "server.log"} <= {
        path.name for path in files
    }
    assert [str(path) for path in files if _holds(path)] == []


def _holds(file: Path) -> bool:
    return PASSWORD.encode() in file.read_bytes()
