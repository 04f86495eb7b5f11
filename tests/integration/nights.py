"""Small nights: their house, their model server, and the ways in which one is ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.integration.conftest import ROOT, House, free_ports, make_house, started, until
from tests.patience import END_SECONDS, LONG_SECONDS, patient

FAULTS = ROOT / "tests" / "faults"
SMALL = {
    "MODEL__FIT__MAX_EPOCHS": "12",
    "MODEL__FIT__BATCH_SIZE": "32",
    "MODEL__FIT__WARM_UP_STEPS": "1",
    "MODEL__OPTIMIZER__LEARNING_RATE": "0.02",
    "MODEL__NETWORK__WIDTH": "32",
    "MODEL__NETWORK__BLOCKS": "1",
    "MODEL__NETWORK__DROPOUT": "0.1",
    "FEATURES__MAX_LENGTH": "20",
    "GATE__MAX_LOSS": "0.9",
    "CLUSTER__WORKERS": "1",
    "TRAIN__PARALLELISM__PROCESSES_PER_NODE": "1",
    "HELD_OUT__MIN_TARGETS": "20",
    "HELD_OUT__MIN_UNITS": "10",
    "VALIDATION__MAX_QUARANTINED": "0.1",
}
"""A few steps of training, whose candidate beats both baselines and so comes into service."""
SHOP = ("--users", "100", "--items", "100")
COUNT = {"step": 7}
"""Where not the first time: in the middle of the second epoch, with a checkpoint behind it."""


def small_house(home: Path, prefect_url: str) -> House:
    """Return an empty house for nights of about 700 events a day; temporary files lie beside it."""
    beside = home.with_name("tmp")
    for folder in (home, beside):
        folder.mkdir()
    return make_house(home, PREFECT_URL=prefect_url, **SMALL).under(TMPDIR=beside)


def write_day(house: House, day: int) -> None:
    """Write one day of the small shop."""
    house.shop(*SHOP, "--day", str(day))


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


@contextmanager
def started_night(house: House, log: Path, code: Path = ROOT, **faults: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a night that writes to ``log``, yield it, and kill it should it still be there.

    Args:
        house: Where.
        log: Gets what it says.
        code: Folder of the code that runs.
        faults: What is ordered, see tests/faults/sitecustomize.py, without ``FAULT_``.
    """
    orders = {f"FAULT_{name}": value for name, value in faults.items()}
    faulty = house.under(PYTHONPATH=FAULTS, **orders) if faults else house
    with log.open("ab") as out:
        command = [sys.executable, "-m", "flows.nightly"]
        night = subprocess.Popen(command, env=faulty.environment, cwd=code, stdout=out, stderr=out)
    try:
        yield night
    finally:
        night.kill()
        night.wait()


def run_night(
    house: House, log: Path, *, code: Path = ROOT, meanwhile: Callable[[int], None] = lambda _: None, **faults: object
) -> int:
    """Run a night, and call ``meanwhile`` with its pid; return its exit code once nobody of it is left.

    Raises:
        AssertionError: A process of it is still there in time after its end.
    """
    before = set(processes(house))
    with started_night(house, log, code, **faults) as night:
        meanwhile(night.pid)
        ended_with = night.wait(LONG_SECONDS)
    left = left_in_time(house, before)
    assert not left, f"long after it ended with {ended_with} these still ran:\n{left}\n{log.read_text()}"
    return ended_with


def ended(house: House, folder: Path, number: signal.Signals, point: str, count: int = 1) -> tuple[int, str]:
    """End a night by a signal once it has passed a point; return its exit code and what it said.

    Raises:
        AssertionError: A process of it is still there in time after the signal.
    """
    once, log, before = folder / "signalled", folder / "log.txt", set(processes(house))
    fault = {"POINT": point, "MOMENT": "after", "COUNT": count, "SIGNAL": number.name, "ONCE": once}
    with started_night(house, log, **fault) as night:
        until(lambda: once.exists() or night.poll() is not None, LONG_SECONDS)
        left = left_in_time(house, before)
    said = log.read_text()
    assert not left, f"long after {number.name} at {point!r} these still ran:\n{left}\n{said}"
    assert once.exists(), f"the night ended before {point!r}:\n{said}"
    return night.returncode, said


def left_in_time(house: House, before: set[int]) -> dict[int, str]:
    """Wait until nobody runs who did not before; return, and kill, who does."""

    def left() -> dict[int, str]:
        return {pid: line for pid, line in processes(house).items() if pid not in before}

    until(lambda: not left(), patient(END_SECONDS))
    found = left()
    for pid in found:
        psutil.Process(pid).kill()
    return found


def alone(house: House) -> House:
    """Return the house with no Prefect server in sight: a night starts one for itself."""
    return house.under(NIGHTSHIFT_PREFECT_URL=f"http://127.0.0.1:{free_ports(1)[0]}")


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
