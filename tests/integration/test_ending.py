"""Whoever ends a night, and however: every process of it is gone in time, and the next night goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from mlflow import MlflowClient

from data_contracts.commit_point import POINTS
from flows.ending import exit_code
from tests.integration.conftest import ROOT, House, free_ports, make_house, until
from tests.integration.disturbed import END_SECONDS, FAULTS, SMALL, Undisturbed, processes, write_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]
START_SECONDS = 280.0
LONG = {
    "MODEL__FIT__MAX_EPOCHS": "10000",
    "MODEL__FIT__PATIENCE": "10000",
    "TRAIN__PARALLELISM__PROCESSES_PER_NODE": "2",
}


@pytest.fixture(scope="module")
def second(undisturbed: Undisturbed) -> Iterator[House]:
    """The house before its second night, the champion of the first in service."""
    with undisturbed.second() as house:
        yield house


def ended(house: House, folder: Path, number: signal.Signals, point: str, count: int = 1) -> tuple[int, str]:
    """End a night by a signal once it has passed a point; return its exit code and what it said.

    Raises:
        AssertionError: A process of it is still there `END_SECONDS` after the signal.
    """
    once, log, before = folder / "signalled", folder / "log.txt", set(processes(house))
    fault = {"POINT": point, "MOMENT": "after", "COUNT": count, "SIGNAL": number.name, "ONCE": once}
    faulty = house.under(PYTHONPATH=FAULTS, **{f"FAULT_{name}": value for name, value in fault.items()})
    with started_night(faulty, log) as night:
        until(lambda: once.exists() or night.poll() is not None, START_SECONDS)
        gone = until(lambda: night.poll() is not None and not set(processes(house)) - before, END_SECONDS)
        left = {pid: line for pid, line in processes(house).items() if pid not in before}
    for pid in left.keys() - {night.pid}:
        psutil.Process(pid).kill()
    assert gone, f"{END_SECONDS:.0f} s after {number.name} at {point!r} these still ran:\n{left}\n{log.read_text()}"
    assert once.exists(), f"the night ended before {point!r}:\n{log.read_text()}"
    return night.returncode, log.read_text()


@contextmanager
def started_night(house: House, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a night that writes to ``log``; yield it, and kill it should it still be there."""
    with log.open("wb") as out:
        command = [sys.executable, "-m", "flows.nightly"]
        night = subprocess.Popen(command, env=house.environment, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield night
    finally:
        night.kill()
        night.wait()


def alone(house: House) -> House:
    """Return the house with no Prefect server in sight: a night starts one for itself."""
    return house.under(NIGHTSHIFT_PREFECT_URL=f"http://127.0.0.1:{free_ports(1)[0]}")


def test_sigterm_between_two_tables_ends_the_night(second: House, tmp_path: Path) -> None:
    code, said = ended(alone(second), tmp_path, signal.SIGTERM, "items")
    assert code == exit_code(signal.SIGTERM)
    assert "The night was ended by SIGTERM. The same command goes on from here." in said


def test_sigterm_in_mid_training_ends_the_night_and_its_run(second: House, tmp_path: Path) -> None:
    code, said = ended(alone(second), tmp_path, signal.SIGTERM, "step", count=2)
    assert code == exit_code(signal.SIGTERM)
    assert "The night was ended by SIGTERM" in said
    client = MlflowClient(tracking_uri=second.settings().workspace().tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    assert sorted(run.info.status for run in runs) == ["FAILED", "FINISHED"]


def test_of_two_nights_at_once_one_says_so_and_the_other_ends_as_if_alone(
    second: House, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    heard, log = tmp_path / "heard", tmp_path / "log.txt"
    with started_night(second.under(PYTHONPATH=FAULTS, FAULT_HEARD=heard), log) as first:
        assert until(heard.exists, START_SECONDS), log.read_text()
        first.send_signal(signal.SIGSTOP)  # it is at work until the other one has ended, however slow that is
        said = second.run("flows.nightly", code=1)
        first.send_signal(signal.SIGCONT)
        assert first.wait(START_SECONDS) == 0, log.read_text()
    assert f"NightRunningError: night '{flow_run_in(log)}' (process {first.pid} on " in said, said
    assert "Nothing was done. Wait for it, or end it." in said
    undisturbed.assert_equal(second)


def flow_run_in(log: Path) -> str:
    """Return the name that Prefect gave to the run whose log this is."""
    return log.read_text().split("Beginning flow run '")[1].split("'")[0]


@pytest.mark.drill
def test_sigterm_at_any_point_ends_the_night_and_at_last_it_is_as_if_nothing_had_happened(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    with undisturbed.second() as house:
        for point in POINTS:
            folder = tmp_path / point.replace(" ", "-")
            folder.mkdir()
            code, said = ended(house, folder, signal.SIGTERM, point)
            assert code == exit_code(signal.SIGTERM), said
        undisturbed.night(house)
        undisturbed.assert_equal(house)


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A small house with every server up, whose trainings would go on for hours."""
    home = tmp_path_factory.mktemp("scheduled")
    made = make_house(home, **SMALL | LONG)
    made = made.under(PREFECT_API_URL=f"{made.environment['NIGHTSHIFT_PREFECT_URL']}/api")
    made = made.under(PYTHONPATH=FAULTS, FAULT_HEARD=home.with_name("heard"))
    for day in (1, 2, 3):
        write_day(made, day)
    made.run("flows.services", "up")
    yield made
    made.run("flows.services", "down")


def test_a_cancelled_night_is_gone_in_time_and_cancelled(scheduled: House) -> None:
    heard = scheduled.home.with_name("heard")
    run = scheduled.run("prefect", "deployment", "run", "nightly-retrain/nightly").split("UUID: ")[1].split()[0]
    assert until(lambda: heard.exists() and "step after" in heard.read_text(), START_SECONDS), state(scheduled, run)
    night = processes_of(run)
    assert len(night) >= 6, "the flow, a worker under its nanny, the agent, two ranks"
    scheduled.run("prefect", "flow-run", "cancel", run)
    _, left = psutil.wait_procs(night, timeout=END_SECONDS)
    assert not left
    assert until(lambda: state(scheduled, run) == "Cancelled" and not processes_of(run), START_SECONDS)


def processes_of(run: str) -> list[psutil.Process]:
    """Return the processes of a flow run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def state(house: House, run: str) -> str:
    """Return the name of the state in which a flow run is."""
    with urlopen(f"{house.environment['PREFECT_API_URL']}/flow_runs/{run}") as answer:
        return str(json.load(answer)["state"]["name"])
