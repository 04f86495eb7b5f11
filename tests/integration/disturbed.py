"""Small nights to disturb: their house, their model server, and the nights that nobody disturbed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.integration.conftest import ROOT, House, make_house, started
from tests.integration.outcome import differences, outcome

FAULTS = ROOT / "tests" / "faults"
SMALL = {
    "MODEL__FIT__MAX_EPOCHS": "2",
    "MODEL__FIT__BATCH_SIZE": "48",
    "MODEL__FIT__WARM_UP_STEPS": "1",
    "MODEL__OPTIMIZER__LEARNING_RATE": "0.01",
    "MODEL__NETWORK__WIDTH": "16",
    "MODEL__NETWORK__BLOCKS": "1",
    "FEATURES__MAX_LENGTH": "20",
    "GATE__MAX_LOSS": "0.9",
    "CLUSTER__WORKERS": "1",
    "TRAIN__PARALLELISM__PROCESSES_PER_NODE": "1",
    "HELD_OUT__MIN_TARGETS": "20",
    "HELD_OUT__MIN_USERS": "10",
    "VALIDATION__MAX_QUARANTINED": "0.1",
}
"""A few steps of training, whose candidate beats popularity and so comes into service."""
USERS = 100
NIGHT_SECONDS = 580.0
"""How long a night may take, whatever happens to it."""
END_SECONDS = 10.0
"""How long after a kill a process of the night may be seen."""


@dataclass(frozen=True)
class Undisturbed:
    """Two nights that nobody disturbed: a champion, then one that takes its place.

    Attributes:
        house: Where they were, and where all others are: what is in a home knows its absolute path.
        first: The home as the first night left it, with the logs of the second.
        outcome: Of both nights.
        heard: Point and moment, in the order in which the second night passed them.
        seconds: That the second night took.
        log: Of all nights in the house.
    """

    house: House
    first: Path
    outcome: dict[str, Any]
    heard: list[tuple[str, str]]
    seconds: float
    log: Path

    @contextmanager
    def second(self) -> Iterator[House]:
        """Yield the house before its second night, the champion of the first in service."""
        for path in self.house.home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.first, self.house.home, symlinks=True, dirs_exist_ok=True)
        with model_server(self.house):
            yield self.house

    def night(self, house: House, *, code: int = 0, **faults: object) -> str:
        """Run a night under faults to its end, and return what it said; another exit code fails."""
        start = self.log.stat().st_size
        seen = run_night(house, self.log, **faults)
        said = self.log.read_text(encoding="utf-8")[start:]
        assert seen == code, f"the night ended with {seen}, wanted {code}:\n{said}"
        return said

    def assert_equal(self, house: House) -> None:
        """See that the house is as the undisturbed one: tables, registry, weights, files, answers."""
        different = differences(self.outcome, outcome(house))
        assert not different, "\n".join(different)


def two_nights(folder: Path, prefect_url: str) -> Undisturbed:
    """Run two nights in an empty folder that nobody disturbs."""
    house = small_house(folder / "home", prefect_url)
    first, heard, log = folder / "first", folder / "heard", folder / "log.txt"
    for day in (1, 2, 3):
        write_day(house, day)
    assert run_night(house, log) == 0, log.read_text()
    write_day(house, 4)
    shutil.copytree(house.home, first, symlinks=True)
    with model_server(house):
        started_at = time.monotonic()
        assert run_night(house, log, HEARD=heard) == 0, log.read_text()
        seconds = time.monotonic() - started_at
        wanted = outcome(house)
    passed = [(line.rsplit(" ", 2)[0], line.rsplit(" ", 2)[1]) for line in heard.read_text().splitlines()]
    return Undisturbed(house, first, wanted, passed, seconds, log)


def small_house(home: Path, prefect_url: str) -> House:
    """Return an empty house for nights of about 700 events a day; temporary files lie beside it."""
    beside = home.with_name("tmp")
    for folder in (home, beside):
        folder.mkdir()
    return make_house(home, PREFECT_URL=prefect_url, **SMALL).under(TMPDIR=beside)


def write_day(house: House, day: int) -> None:
    """Write one day of the small shop."""
    house.shop("--users", str(USERS), "--day", str(day))


@contextmanager
def model_server(house: House) -> Iterator[int]:
    """Run the model server of a house that has a champion; yield its pid."""
    serving = house.settings().serving
    ports = [url.rpartition(":")[2] for url in (serving.rest_url, serving.grpc_url)]
    options = ["--tracking-uri", house.settings().workspace().tracking_uri, "--name", "shop"]
    options += ["--rest-port", ports[0], "--grpc-port", ports[1]]
    command = [sys.executable, "-m", "models.serving.server", *options]
    log = house.home.with_name("server.log")
    with started(command, house.environment, log, f"{serving.rest_url}/v2/health/ready") as pid:
        yield pid


def run_night(house: House, log: Path, *, meanwhile: Callable[[int], None] = lambda _: None, **faults: object) -> int:
    """Run a night under faults; return its exit code once nobody of it is left.

    Args:
        house: Where.
        log: Gets what it says.
        meanwhile: Is called with its pid once it runs.
        faults: What is ordered, see tests/faults/sitecustomize.py, without ``FAULT_``.

    Raises:
        AssertionError: A process of it is still there after `END_SECONDS`.
    """
    orders = {f"FAULT_{name}": value for name, value in faults.items()}
    faulty = house.under(PYTHONPATH=FAULTS, **orders) if faults else house
    before = set(processes(house))
    with log.open("ab") as out:
        command = [sys.executable, "-m", "flows.nightly"]
        night = subprocess.Popen(command, env=faulty.environment, cwd=ROOT, stdout=out, stderr=out)
        try:
            meanwhile(night.pid)
            code = night.wait(NIGHT_SECONDS)
        finally:
            night.kill()
            night.wait()
    deadline = time.monotonic() + END_SECONDS
    while (left := {pid: said for pid, said in processes(house).items() if pid not in before}) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    for pid in left:
        psutil.Process(pid).kill()
    assert not left, (
        f"{END_SECONDS:.0f} s after the night ended with {code} these still ran:\n{left}\n{log.read_text()}"
    )
    return code


def processes(house: House) -> dict[int, str]:
    """Return the command lines of the processes that have this house in them, or in their environment."""
    found: dict[int, str] = {}
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            inside = str(house.home) in line or process.environ().get("NIGHTSHIFT_HOME") == str(house.home)
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = line
        except psutil.Error:
            continue
    return found
