"""What Prefect's server is told to do: the deployments of prefect.yaml, and automations.

``python -m flows.schedule`` waits for servers that others started, and tells Prefect's: where there is no `make up`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flows import alerts, manager
from flows.manager import ROOT, ServiceError
from flows.problems import explained
from flows.service import POOL, services
from flows.settings import NightlySettings

START_SECONDS = 180.0


def register(settings: NightlySettings) -> None:
    """Register all of it; again is the same as once.

    Raises:
        ServiceError: The server took no deployments, or has no block that ``alerts.notify`` names.
    """
    _make_pool(settings)
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=manager.environment(settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"Prefect's server at {settings.prefect_url} took no deployments:\n{done.stdout}")
    try:
        with spoken_to(settings):
            alerts.install(settings.alerts)
    except alerts.NoSuchBlockError as error:
        raise ServiceError(str(error)) from error


def _make_pool(settings: NightlySettings) -> None:
    """Have the work pool, without which no deployment is taken; the first worker says the rest of it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with spoken_to(settings), get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


@contextmanager
def spoken_to(settings: NightlySettings) -> Iterator[None]:
    """Speak with Prefect's server at its address, whatever this process was told of it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"{settings.prefect_url}/api"}):
        yield


def main() -> None:
    """Wait for Prefect's server and MLflow's, which makes its tables, and register all."""
    with explained():
        settings = NightlySettings()
    wanted = [each for each in services(settings) if each.name in {"prefect", "mlflow"}]
    manager.wait(lambda: all(each.answers() for each in wanted), START_SECONDS)
    if silent := [f"{each.name}: {each.url} does not answer" for each in wanted if not each.answers()]:
        sys.exit("\n".join(silent))
    try:
        register(settings)
    except ServiceError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
