"""The schedule's way: `make up`, nights that are cancelled, killed, ask a person, fail or are late, `make down`.

The tests share one set of servers, and go in order; those of the drill need none before them.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from flows import alerts, manager
from tests.integration.conftest import House, until
from tests.integration.deployed import Deployed, ear, save_webhook
from tests.integration.nights import FAULTS
from tests.patience import END_SECONDS, LONG_SECONDS, patient

pytestmark = pytest.mark.slow

SILENT_SECONDS = 90
"""The least that is allowed, so that the test waits no longer."""
CRASHED_WITHIN_SECONDS = SILENT_SECONDS + 60
"""As docs/operations.md states it: a minute more."""
NIGHTS_UNTIL_TOLD = 3
"""On SQLite, Prefect loses an event now and then when it has much to do, as docs/operations.md says."""
ENDLESS = {
    "NIGHTSHIFT_MODEL__FIT__MAX_EPOCHS": "10000",
    "NIGHTSHIFT_MODEL__FIT__PATIENCE": "10000",
    "NIGHTSHIFT_TRAIN__PARALLELISM__PROCESSES_PER_NODE": "2",
}
"""A training that would go on for hours."""


@pytest.fixture(scope="module")
def deployed(house: House) -> Iterator[Deployed]:
    """`make up` with a webhook that is told, a person who is asked, and data older than is allowed: long past."""
    house.shop("--days", "3")
    api = f"{house.environment['NIGHTSHIFT_PREFECT_URL']}/api"
    alerting = {"NIGHTSHIFT_ALERTS__STALE_HOURS": 1, "NIGHTSHIFT_ALERTS__SILENT_SECONDS": SILENT_SECONDS}
    small = {"NIGHTSHIFT_CLUSTER__WORKERS": 1, "NIGHTSHIFT_TRAIN__PARALLELISM__PROCESSES_PER_NODE": 1}
    asking = {"NIGHTSHIFT_GATE__APPROVAL": "true"}
    bounded = {"NIGHTSHIFT_VALIDATION__TABLE": json.dumps({"distinct": {"event": {"at_least": 3, "at_most": 3}}})}
    house = house.under(PREFECT_API_URL=api, PREFECT_WORKER_QUERY_SECONDS=2, **alerting, **small, **asking, **bounded)
    with ear() as (url, told):
        up = house.run("flows.services", "up")
        assert up.count(" answers") == 4, up
        save_webhook(api, url)
        house = house.under(NIGHTSHIFT_ALERTS__NOTIFY="custom-webhook/ops")
        again = house.run("flows.services", "up")
        assert "what runs has other settings than these: NIGHTSHIFT_ALERTS__NOTIFY." in again, again
        yield Deployed(house, told)


@pytest.mark.drill
def test_make_up_again_registers_nothing_twice(deployed: Deployed) -> None:
    def automations() -> dict[str, str]:
        return {each["name"]: each["id"] for each in deployed.ask("/automations/filter", limit=50)}

    before = automations()
    assert {alerts.SILENT, alerts.NEVER_BEGUN, alerts.TOLD} < set(before)
    assert len(before) == 4
    nobody = deployed.house.under(NIGHTSHIFT_ALERTS__NOTIFY="custom-webhook/nobody")
    refused = nobody.run("flows.services", "up", code=1)
    assert "alerts.notify: Prefect's server has no block 'custom-webhook/nobody'" in refused
    deployed.house.run("flows.services", "up")
    after = automations()
    for name in (alerts.SILENT, alerts.NEVER_BEGUN, alerts.TOLD):
        assert after[name] == before[name], f"{name!r} was made anew, and forgot the runs that it follows"
    assert len(deployed.ask("/automations/filter", limit=50)) == 4
    assert len(deployed.ask("/deployments/filter", limit=50)) == 5


def test_a_cancelled_night_is_gone_in_time_and_cancelled(deployed: Deployed, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    variables = json.dumps({"PYTHONPATH": str(FAULTS), "FAULT_HEARD": str(heard), **ENDLESS})
    command = ("prefect", "deployment", "run", "nightly-retrain/nightly", "--job-variable", f"env={variables}")
    run = deployed.house.run(*command).split("UUID: ")[1].split()[0]
    deployed.wait(lambda: heard.exists() and "step after" in heard.read_text(), lambda: deployed.log)
    night = deployed.processes_of(run)
    assert len(deployed.processes_of(run, "models.fit")) >= 3, "the agent and two ranks"
    deployed.house.run("prefect", "flow-run", "cancel", run)
    _, left = psutil.wait_procs(night, timeout=patient(END_SECONDS))
    assert not left
    deployed.wait_for(run, "Cancelled")
    deployed.wait(lambda: not deployed.processes_of(run), lambda: deployed.processes_of(run))


def test_a_night_killed_with_its_worker_is_crashed_in_time_and_the_next_is_served_after_a_yes(
    deployed: Deployed,
) -> None:
    server = deployed.process("models.serving.server")
    killed = deployed.start_night()
    deployed.wait_for(killed, "Running")
    worker = deployed.process("worker", "start")
    assert worker is not None
    engine = deployed.processes_of(killed, "prefect.engine")[0]
    worker.kill()
    engine.kill()
    message = deployed.wait_for(killed, "Crashed", seconds=patient(CRASHED_WITHIN_SECONDS))
    assert message.startswith(f"No sign of life for {SILENT_SECONDS} s")
    deployed.wait(lambda: any("Crashed No sign of life" in text for text in deployed.told), lambda: deployed.told)
    again = deployed.process("worker", "start")
    assert again is not None
    assert again.pid != worker.pid
    assert deployed.process("models.serving.server") == server, "the model server went with the worker"
    waits = deployed.wait_for(deployed.start_night(), "Completed")
    assert waits.startswith("waiting for approval: shop version 1. Yes or no? http"), waits
    assert deployed.artifact("training-shop") == 100, "the bar of a training that is done"
    assert "\n- distinct values of 'event': 3, wanted at least 3 and at most 3" in deployed.artifact("data-docs-shop")
    question = waits.partition("/runs/flow-run/")[2].split()[0]
    deployed.wait_for(question, "Suspended")
    assert deployed.served() is None
    deployed.house.run("flows.approve", "--yes", "--who", "ada", "--why", "it is the first")
    decided = deployed.wait_for(question, "Completed")
    assert decided.startswith("promoted: shop version 1. ")
    assert decided.endswith("ada said yes: it is the first.")
    assert deployed.served() == "1"
    planned = deployed.ask("/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
    assert planned, "the schedule plans no run"


def test_a_night_that_fails_says_why_wherever_it_is_looked_for(deployed: Deployed) -> None:
    broken = deployed.house.home / "logs" / "2026-01-04.csv.gz"
    broken.write_bytes(b"no gzip")

    def heard() -> bool:
        return any(broken.name in text for text in deployed.told) and broken.name in deployed.page()

    for _ in range(NIGHTS_UNTIL_TOLD):
        assert "2026-01-04.csv.gz" in deployed.wait_for(deployed.start_night(), "Failed")
        if until(heard, patient(60), every=1):
            break
    else:
        pytest.fail(f"of {NIGHTS_UNTIL_TOLD} nights that failed none was told of: {deployed.told}\n{deployed.page()}")
    broken.unlink()
    assert "Version 1 is in service" in deployed.page()
    status = deployed.house.run("flows.services", "status")
    assert "Not well: The last night" in status
    assert "2026-01-04.csv.gz" in status
    assert "  promoted: shop version 1. " in status


@pytest.mark.drill
def test_a_night_that_nobody_begins_is_late_and_told_of(deployed: Deployed) -> None:
    worker = deployed.process("worker", "start")
    assert worker is not None
    worker.suspend()
    try:
        late = deployed.start_night()
        deployed.wait_for(late, "Late")
        deployed.wait(lambda: any(": Late" in text for text in deployed.told), lambda: deployed.told)
    finally:
        worker.resume()
    deployed.wait_for(late, "Completed")


@pytest.mark.drill
def test_old_data_behind_what_is_served_is_told_of_and_measured(deployed: Deployed) -> None:
    deployed.wait(lambda: any("StaleModelError" in text for text in deployed.told), lambda: deployed.told)
    metrics = httpx.get(f"{deployed.rest_url}/metrics", timeout=LONG_SECONDS).text
    assert 'nightshift_model_data_age_seconds{model="shop",version="1"}' in metrics
    assert 'nightshift_model_in_service_seconds{model="shop",version="1"}' in metrics


@pytest.mark.drill
def test_a_work_pool_that_was_paused_stays_so_when_its_worker_is_started_again(deployed: Deployed) -> None:
    worker = deployed.process("worker", "start")
    assert worker is not None
    pool = deployed.house.environment["PREFECT_API_URL"] + "/work_pools/nightshift"
    httpx.patch(pool, json={"is_paused": True}, timeout=LONG_SECONDS).raise_for_status()
    try:
        worker.kill()
        deployed.wait(lambda: deployed.process("worker", "start") not in (None, worker), lambda: deployed.log)
        deployed.wait(lambda: deployed.log.count("started!") > 1, lambda: deployed.log)
        assert deployed.ask("/work_pools/nightshift")["is_paused"]
        assert "worker" in deployed.house.run("flows.services", "up")
    finally:
        httpx.patch(pool, json={"is_paused": False}, timeout=LONG_SECONDS).raise_for_status()


@pytest.mark.drill
def test_make_up_after_a_killed_manager_starts_all_anew_under_another(deployed: Deployed) -> None:
    settings = deployed.house.settings()
    [killed] = manager.running(settings)
    unkept = set(manager.left(settings)) - {killed}
    psutil.Process(killed).kill()
    up = deployed.house.run("flows.services", "up")
    assert up.count(" answers") == 4, up
    [running] = manager.running(settings)
    assert running != killed
    assert not unkept & set(manager.left(settings)), "what nobody keeps is still there"


def test_make_down_ends_everything_even_what_a_killed_manager_left(deployed: Deployed) -> None:
    [running] = manager.running(deployed.house.settings())
    psutil.Process(running).send_signal(signal.SIGKILL)
    deployed.house.run("flows.services", "down")
    home = str(deployed.house.home)
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in left if command and home in " ".join(command)]
