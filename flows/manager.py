"""The process manager: starts services of the Procfile together, remembers that it did, and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from flows.settings import NightlySettings

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 20.0


class ServiceError(Exception):
    """A server cannot be started or does not answer."""


def start(settings: NightlySettings, names: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
    """Start services of the Procfile under honcho, in a session of their own; return it, and its log."""
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    log = home / f"{'-'.join(names)}.log"
    with log.open("ab") as output:
        manager = subprocess.Popen(
            [sys.executable, "-m", "honcho", "-d", str(ROOT), "-f", str(ROOT / "Procfile"), "start", *names],
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _state(settings).write_text(json.dumps({**running(settings), manager.pid: names}))
    return manager, log


def running(settings: NightlySettings) -> dict[int, list[str]]:
    """Return the process managers started here that still run, and the services of each."""
    state = _state(settings)
    remembered = json.loads(state.read_text()) if state.is_file() else {}
    return {int(pid): names for pid, names in remembered.items() if _is_manager(int(pid))}


def end(managers: Iterable[int]) -> None:
    """End process managers and all that they started.

    Raises:
        ServiceError: One did not end.
    """
    managers = list(managers)
    for pid in managers:
        os.kill(pid, signal.SIGTERM)
    wait(lambda: not any(_is_manager(pid) for pid in managers), STOP_SECONDS)
    left = [pid for pid in managers if _is_manager(pid)]
    if left:
        raise ServiceError(f"processes {left} did not end within {STOP_SECONDS:.0f} s after SIGTERM.")


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until ``condition`` holds, but not longer."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.5)


def _environment(settings: NightlySettings) -> dict[str, str]:
    home = settings.home.resolve()
    ports = {"PREFECT_PORT": settings.prefect_url, "MLFLOW_PORT": settings.mlflow_url}
    ports |= {"REST_PORT": settings.serving.rest_url, "GRPC_PORT": settings.serving.grpc_url}
    return {
        **os.environ,
        **{name: url.rpartition(":")[2] for name, url in ports.items()},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NAME": settings.name,
        "NIGHTSHIFT_CODE": str(ROOT),
        "NIGHTSHIFT_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{settings.prefect_url}/api",
        "MLFLOW_STORE": f"sqlite:///{home}/mlflow.db",
        "MLFLOW_ARTIFACTS": str(home / "artifacts"),
        "NIGHTSHIFT_TRACKING_URI": settings.mlflow_url,
        "PYTHONUNBUFFERED": "1",
    }


def _state(settings: NightlySettings) -> Path:
    """Return the file that remembers the process managers started here, and what each of them runs."""
    return settings.home.resolve() / "services.json"


def _is_manager(pid: int) -> bool:
    """Whether ``pid`` still is a process manager of ours: numbers are used again after a restart."""
    try:
        return b"honcho" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
