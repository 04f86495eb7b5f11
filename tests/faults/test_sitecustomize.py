from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.patience import LONG_SECONDS

FAULTS = Path(__file__).parent
POINTS = """
from data_contracts.commit_point import commit_point

for _ in range(2):
    with commit_point("items"):
        print("in", flush=True)
"""
UNDER_A_FLOW = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {POINTS!r}]) # as flows.nightly does"


def run(code: str, *before: Path, **faults: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (FAULTS, *before)))
    environment = {**os.environ, "PYTHONPATH": path, **{f"FAULT_{name}": str(value) for name, value in faults.items()}}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG_SECONDS, check=False)


def test_a_process_is_killed_at_the_point_named_and_only_once(tmp_path: Path) -> None:
    fault = {"POINT": "items", "COUNT": 2, "TARGET": "self", "ONCE": tmp_path / "killed", "HEARD": tmp_path / "heard"}
    killed, again = run(POINTS, **fault), run(POINTS, **fault)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "in\n")
    assert (again.returncode, again.stdout) == (0, "in\nin\n")
    heard = [line.split()[:2] for line in (tmp_path / "heard").read_text().splitlines()]
    assert heard == [["items", "before"], ["items", "after"], ["items", "before"]] + 2 * [
        ["items", "before"],
        ["items", "after"],
    ]


def test_a_child_that_reaches_the_point_kills_the_flow_above_it_and_does_not_go_on(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    environment = {**os.environ, "PYTHONPATH": str(FAULTS), "FAULT_POINT": "items", "FAULT_HEARD": str(heard)}
    with (tmp_path / "out").open("w") as out:
        flow = subprocess.Popen([sys.executable, "-c", UNDER_A_FLOW], env=environment, stdout=out)
    assert flow.wait(60) == -signal.SIGKILL
    child = psutil.Process(int(heard.read_text().split()[2]))
    assert child.is_running(), "it has no mechanism of a night to end it"
    child.kill()
    assert (tmp_path / "out").read_text() == ""


def test_without_an_order_nothing_happens_and_the_next_sitecustomize_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('the next one')")
    assert run(POINTS, tmp_path).stdout == "the next one\nin\nin\n"
