"""A house of its own for tests that run the whole line: home, ports, a small made-up shop, a short training."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.settings import NightlySettings

ROOT = Path(__file__).parents[2]
QUICK = {
    "MODEL__FIT__MAX_EPOCHS": "8",
    "MODEL__FIT__BATCH_SIZE": "16",
    "MODEL__FIT__WARM_UP_STEPS": "5",
    "HELD_OUT__MIN_TARGETS": "50",
    "HELD_OUT__MIN_USERS": "20",
}
"""Just enough to beat popularity in a shop of 300 users."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, outside the range from which the kernel takes ports for connections."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"only {len(found)} of 200 ports tried were free, wanted {count}.")


@dataclass(frozen=True)
class House:
    """Where one set of logs lives, and the environment in which its commands run."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, code: int = 0, seconds: float = 280) -> str:
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


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An empty house; its servers, if any were started, end with the module."""
    home = tmp_path_factory.mktemp("house")
    prefect, mlflow, rest, grpc = free_ports(4)
    settings = {
        "HOME": str(home),
        "PREFECT_URL": f"http://127.0.0.1:{prefect}",
        "MLFLOW_URL": f"http://127.0.0.1:{mlflow}",
        "SERVING__REST_URL": f"http://127.0.0.1:{rest}",
        "SERVING__GRPC_URL": f"127.0.0.1:{grpc}",
        "CLUSTER__DASHBOARD_PORT": "0",
        "SOURCE__URI": str(home / "logs" / "*.csv.gz"),
        "REFERENCE": str(home / "logs" / "_best_reachable.json"),
        **QUICK,
    }
    environment = {**os.environ, **{f"NIGHTSHIFT_{name}": value for name, value in settings.items()}}
    environment |= {"PREFECT_HOME": str(home / "prefect"), "COLUMNS": "200"}
    made = House(home, environment)
    yield made
    made.run("flows.services", "down")
