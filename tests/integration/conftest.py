"""A house of its own for tests that run the whole line: home, ports, a small made-up shop, a short training."""

from __future__ import annotations

import glob
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from flows.settings import NightlySettings
from tasks.lock import locked
from tests.patience import LONG_SECONDS, patient

if TYPE_CHECKING:
    from tests.integration.undisturbed import Undisturbed

ROOT = Path(__file__).parents[2]
QUICK = {
    "MODEL__FIT__MAX_EPOCHS": "8",
    "MODEL__FIT__BATCH_SIZE": "16",
    "MODEL__FIT__WARM_UP_STEPS": "5",
    "MODEL__NETWORK__DROPOUT": "0.1",
    "HELD_OUT__MIN_TARGETS": "50",
    "HELD_OUT__MIN_UNITS": "20",
}
"""Just enough to beat popularity and Markov in a shop of 300 users."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, outside the range from which the kernel takes ports for connections.

    Each pytest-xdist worker has a range of its own: another may not listen yet on what it was given.
    """
    low = 20_000 + 2_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 6)
    found: list[int] = []
    for port in random.SystemRandom().sample(range(low, low + 2_000), 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"only {len(found)} of 200 ports tried were free, wanted {count}.")


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], log: Path, health: str) -> Iterator[int]:
    """Start a server, wait until it answers at ``health``, yield its pid, and end it."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=dict(environment), cwd=ROOT, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + LONG_SECONDS
        while not _answers(health):
            assert process.poll() is None, f"{command} ended with {process.returncode}:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command} does not answer at {health}:\n{log.read_text()}"
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(patient(20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as response:
            return bool(response.status == HTTPStatus.OK)
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Wait until a condition holds, look at it every so many seconds, and say whether it does."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(every)
    return condition()


@dataclass(frozen=True)
class House:
    """Where one set of logs lives, and the environment in which its commands run."""

    home: Path
    environment: dict[str, str]

    def under(self, **variables: object) -> House:
        """Return this house with other variables in its environment."""
        return House(self.home, {**self.environment, **{name: str(value) for name, value in variables.items()}})

    def run(self, *arguments: str, code: int = 0, seconds: float = LONG_SECONDS) -> str:
        """Run a module as people do, and return what it printed; another exit code fails with all of it."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=self.environment,
            cwd=ROOT,
            text=True,
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}, wanted {code}:\n{done.stdout}"
        return done.stdout

    def shop(self, *arguments: str) -> None:
        """Write days of the made-up shop."""
        self.run("examples.shop", "--folder", str(self.home / "logs"), "--users", "300", *arguments)

    def settings(self) -> NightlySettings:
        """Return the settings that the commands run under."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return NightlySettings()


def make_house(home: Path, **settings: str) -> House:
    """Return a house in ``home`` with ports of its own, and settings over those of `QUICK`."""
    prefect, mlflow, rest, grpc = free_ports(4)
    settings = {
        "HOME": str(home),
        "PREFECT_URL": f"http://127.0.0.1:{prefect}",
        "MLFLOW_URL": f"http://127.0.0.1:{mlflow}",
        "SERVING__REST_URL": f"http://127.0.0.1:{rest}",
        "SERVING__GRPC_URL": f"127.0.0.1:{grpc}",
        "CLUSTER__DASHBOARD_PORT": "0",
        "SOURCE__URI": f"{glob.escape(str(home))}/logs/*.csv.gz",
        "REFERENCE": str(home / "logs" / "_best_reachable.json"),
        **QUICK,
        **settings,
    }
    environment = {**os.environ, **{f"NIGHTSHIFT_{name}": value for name, value in settings.items()}}
    environment |= {"PREFECT_HOME": str(home / "prefect"), "COLUMNS": "200"}
    return House(home, environment)


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of Prefect's: making one takes it six seconds of processor time, so a run makes one for all."""
    beside = tmp_path_factory.getbasetemp()
    folder = (beside.parent if "PYTEST_XDIST_WORKER" in os.environ else beside) / "prefect-database"
    made = folder / "made"
    with locked(folder / "lock", "a test run", seconds=LONG_SECONDS):
        if not made.exists():
            command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
            subprocess.run(command, env={**os.environ, "PREFECT_HOME": str(made.with_name("making"))}, check=True)
            made.with_name("making").rename(made)
    return made / "prefect.db"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prefect_database: Path) -> Iterator[House]:
    """An empty house in a folder of an odd name; its servers, if any were started, end with the module."""
    home = tmp_path_factory.mktemp("house") / "a=b [c]* d'é #1"
    (home / "prefect").mkdir(parents=True)
    shutil.copy(prefect_database, home / "prefect")
    made = make_house(home)
    yield made
    made.run("flows.services", "down")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Undisturbed:
    """Two small nights that nobody disturbed."""
    from tests.integration.undisturbed import two_nights

    return two_nights(tmp_path_factory.mktemp("undisturbed"), prefect_server)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, prefect_database: Path) -> Iterator[str]:
    """The address of one Prefect server for the whole run."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("prefect")
    shutil.copy(prefect_database, folder)
    environment = {**os.environ, "PREFECT_HOME": str(folder), "PREFECT_API_URL": f"{url}/api"}
    command = ["prefect", "server", "start", "--no-services", "--host", "127.0.0.1", "--port", str(port)]
    with started([sys.executable, "-m", *command], environment, folder / "log.txt", f"{url}/api/health"):
        yield url
