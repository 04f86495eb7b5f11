"""What Prefect's server is told to do: the deployments of prefect.yaml, and automations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows import alerts, manager
from flows.manager import ROOT, ServiceError
from flows.settings import NightlySettings


def register(settings: NightlySettings) -> None:
    """Register all of it; again is the same as once.

    Raises:
        ServiceError: The server took no deployments, or has no block that ``alerts.notify`` names.
    """
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


@contextmanager
def spoken_to(settings: NightlySettings) -> Iterator[None]:
    """Speak with Prefect's server at its address, whatever this process was told of it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"{settings.prefect_url}/api"}):
        yield
