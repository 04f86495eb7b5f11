"""The schedule's way: `make up`, `prefect deployment run`, the served model, `make down`."""

from __future__ import annotations

import psutil
import pytest

from tests.integration.conftest import House


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_deployed_night_runs_to_completed_and_is_served(house: House) -> None:
    house.shop("--days", "3")
    up = house.run("flows.services", "up")
    assert up.count(" answers") == 4, up
    api = {"PREFECT_API_URL": f"{house.environment['NIGHTSHIFT_PREFECT_URL']}/api"}
    client = House(house.home, {**house.environment, **api})
    watched = client.run("prefect", "deployment", "run", "nightly-retrain/nightly", "--watch", seconds=500)
    assert "finished successfully" in watched, (watched, (house.home / "services" / "worker.log").read_text())
    planned = client.run("prefect", "flow-run", "ls", "--state", "Scheduled", "--flow-name", "nightly-retrain")
    assert "nightly-retrain" in planned, f"the schedule plans no run:\n{planned}"
    house.run("flows.services", "down")
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in left if command and str(house.home) in " ".join(command)]
