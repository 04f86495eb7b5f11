"""The process manager, supervisor: it starts services of supervisord.conf, and again whenever they end.

Nothing is written down about what runs: every process started here carries a mark in its environment.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flows.databases import prefects_database
from flows.settings import NightlySettings

ROOT = Path(__file__).parents[1]
NAMES = ("prefect", "mlflow", "worker", "server")
"""Of the services, as supervisord.conf has them."""
MODULE = "supervisor.supervisord"
MARK, MANAGER = "NIGHTSHIFT_SERVICES", "MANAGER"
KILL_SECONDS = 10.0
"""How long after SIGTERM what does not end is killed, by its manager or by whoever ends what has none."""
STOP_SECONDS = 60.0
"""How long to wait for a manager, which ends one service after the other."""


class ServiceError(Exception):
    """A server cannot be started or does not answer."""


@dataclass(frozen=True)
class Manager:
    """A process manager that was started.

    Attributes:
        pid: Of its process.
        log: What it says about its services, since then.
    """

    pid: int
    log: Path

    def fallen(self) -> list[str]:
        """Return the services that ended by themselves, one for each time."""
        said = self.log.read_text(encoding="utf-8") if self.log.is_file() else ""
        return re.findall(r"exited: (\w+) ", said)


def start(settings: NightlySettings, names: Sequence[str]) -> Manager:
    """Start services under a manager, in a session of its own."""
    logs(settings).mkdir(parents=True, exist_ok=True)
    name = "-".join(("manager", *names))
    log = logs(settings) / f"{name}.log"
    log.unlink(missing_ok=True)
    wanted = {f"START_{each.upper()}": str(each in names) for each in NAMES}
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, "--configuration", str(ROOT / "supervisord.conf")],
        env={**environment(settings), **wanted, MARK: str(logs(settings)), MANAGER: name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Manager(process.pid, log)


def logs(settings: NightlySettings) -> Path:
    """Return the folder of the services' logs: ``<service>.log``, and one of each manager."""
    return settings.home.resolve() / "services"


def running(settings: NightlySettings) -> dict[int, list[str]]:
    """Return the process managers started for this home that still run, and the services of each."""
    return {
        pid: variables[MANAGER].split("-")[1:]
        for pid, variables in _marked(settings)
        if MODULE.encode() in _read(pid, "cmdline")
    }


def left(settings: NightlySettings) -> list[int]:
    """Return every process that the managers of this home, or their services, ever started and that still runs."""
    return [pid for pid, _ in _marked(settings)]


def orphans(settings: NightlySettings) -> list[int]:
    """Return those of ``left`` whose manager is gone, so that nobody starts them again when they end."""
    managers = {"-".join(("manager", *names)) for names in running(settings).values()}
    return [pid for pid, variables in _marked(settings) if variables[MANAGER] not in managers]


def outlived(settings: NightlySettings) -> list[int]:
    """Return those managers whose home was deleted under them: what they run reads and writes files that are gone."""
    folder = str(logs(settings))
    return [
        pid
        for pid in running(settings)
        if any(file.startswith(folder) and file.endswith(" (deleted)") for file in _open_files(pid))
    ]


def outdated(settings: NightlySettings) -> list[str]:
    """Return the variables with settings that are others now than when the running services were started."""
    now, managers = environment(settings), running(settings)
    return sorted(
        {
            name
            for pid, then in _marked(settings)
            for name in now.keys() | then.keys()
            if pid in managers and name.startswith("NIGHTSHIFT_") and name != MARK and now.get(name) != then.get(name)
        }
    )


def end(settings: NightlySettings, processes: Collection[int]) -> None:
    """End processes that were started for this home by SIGTERM, at last by SIGKILL; a manager ends its services first.

    Raises:
        ServiceError: One did not end.
    """

    def still() -> set[int]:
        return set(processes) & set(left(settings))

    patience = STOP_SECONDS if still() & running(settings).keys() else KILL_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in still():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        wait(lambda: not still(), patience)
    if found := still():
        named = "\n".join(f"  - {pid}: {_read(pid, 'cmdline').replace(bytes(1), b' ').decode()}" for pid in found)
        raise ServiceError(f"these did not end within {patience:.0f} s after SIGKILL:\n{named}")


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until ``condition`` holds, but not longer."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.5)


def environment(settings: NightlySettings) -> dict[str, str]:
    """Return the environment in which services run, and whatever speaks with them."""
    home, store = settings.home.resolve(), settings.workspace().tracking_uri
    ports = {"PREFECT_PORT": settings.prefect_url, "MLFLOW_PORT": settings.mlflow_url}
    ports |= {"REST_PORT": settings.serving.rest_url, "GRPC_PORT": settings.serving.grpc_url}
    return {
        **os.environ,
        **{name: url.rpartition(":")[2] for name, url in ports.items()},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NAME": settings.name,
        "TRUSTED_HOSTS": ",".join(settings.serving.trusted_hosts),
        "HOME_TAG": settings.workspace().tags[1],
        "DAY_ZONE": settings.day_zone,
        "NIGHTSHIFT_CODE": str(ROOT),
        "NIGHTSHIFT_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{settings.prefect_url}/api",
        **prefects_database(settings),
        "MLFLOW_STORE": store,
        "MLFLOW_ARTIFACTS": str(home / "artifacts"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes for what is not used here
        "PYTHONUNBUFFERED": "1",
    }


def _marked(settings: NightlySettings) -> Iterator[tuple[int, dict[str, str]]]:
    """Go through the processes started here, by number and environment; a dead one that nobody reaped has none."""
    for folder in Path("/proc").glob("[0-9]*"):
        lines = _read(int(folder.name), "environ").decode(errors="replace").split("\0")
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        if variables.get(MARK) == str(logs(settings)):
            yield int(folder.name), variables


def _open_files(pid: int) -> Iterator[str]:
    """Go through the files that a process has open, as the kernel names them."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            yield os.readlink(descriptor)


def _read(pid: int, file: str) -> bytes:
    """Read what the kernel says about a process: nothing of one that is gone, or somebody else's."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
