"""What Prefect's server is told where there is no `make up`: by a command that waits for it, before any worker."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import make_house, started

pytestmark = pytest.mark.slow


def test_deployments_are_taken_before_there_is_a_worker_and_again_is_the_same_as_once(
    tmp_path: Path, prefect_database: Path
) -> None:
    home = tmp_path / "home"
    (home / "prefect").mkdir(parents=True)
    shutil.copy(prefect_database, home / "prefect")
    house = make_house(home, TRACKING_URI="http://127.0.0.1:9")  # another's MLflow is not waited for
    url = house.environment["NIGHTSHIFT_PREFECT_URL"]
    variables = {**os.environ, "PREFECT_HOME": str(home / "prefect"), "PREFECT_API_URL": f"{url}/api"}
    command = ["prefect", "server", "start", "--no-services", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
    with started([sys.executable, "-m", *command], variables, tmp_path / "log", f"{url}/api/health"):

        def asked() -> list[tuple[str, str]]:
            found = httpx.post(f"{url}/api/deployments/filter", json={}, timeout=60).json()
            return sorted((each["id"], each["work_pool_name"]) for each in found)

        house.run("flows.schedule")
        once = asked()
        assert {pool for _, pool in once} == {"nightshift"}
        assert httpx.get(f"{url}/api/work_pools/nightshift", timeout=60).json()["type"] == "process"
        house.run("flows.schedule")
        assert asked() == once
        worker = ["worker", "start", "--pool", "nightshift", "--type", "process", "--run-once"]
        house.under(PREFECT_API_URL=f"{url}/api").run("prefect", *worker)
        made = httpx.get(f"{url}/api/work_pools/nightshift", timeout=60).json()
        assert made["base_job_template"], "the first worker says how its runs are started"
