from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.night import Workspace
from tasks.lock import LockedError, NightRunningError, locked, only_night, only_upkeep

HOLDER = """
import subprocess, sys, time
from data_contracts.night import Workspace
from tasks.lock import only_night

with only_night(Workspace.model_validate_json(sys.argv[1]), "first-night"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""


def logs(home: Path, name: str = "shop") -> Workspace:
    return Workspace(name=name, use_case="recommender", home=str(home), tracking_uri="sqlite://")


@pytest.fixture
def night(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process at work on the shop's logs, and the id of one that it started."""
    command = [sys.executable, "-c", HOLDER, logs(tmp_path).model_dump_json()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    process.wait()
    process.stdout.close()
    os.kill(child, signal.SIGKILL)


def test_a_second_night_is_told_who_is_at_work_and_since_when(
    tmp_path: Path, night: tuple[subprocess.Popen[str], int]
) -> None:
    said = (
        rf"(?s)night 'first-night' \(process {night[0].pid} on .*, since 20.*Nothing was done\. Wait for it, or end it"
    )
    with pytest.raises(NightRunningError, match=said), only_night(logs(tmp_path), "second-night"):
        pass


def test_nights_on_different_logs_do_not_wait_for_each_other(
    tmp_path: Path, night: tuple[subprocess.Popen[str], int]
) -> None:
    with only_night(logs(tmp_path, "other"), "second-night"):
        pass


def test_a_killed_night_is_no_obstacle_even_while_what_it_started_lives(
    tmp_path: Path, night: tuple[subprocess.Popen[str], int]
) -> None:
    process, child = night
    process.kill()
    process.wait()
    with only_night(logs(tmp_path), "second-night"):
        os.kill(child, 0)


def test_a_lock_is_waited_for(tmp_path: Path, night: tuple[subprocess.Popen[str], int]) -> None:
    asked = tmp_path / "asked"
    end = f"import os, pathlib, time; time.sleep(1); pathlib.Path({str(asked)!r}).touch(); os.kill({night[0].pid}, 9)"
    ender = subprocess.Popen([sys.executable, "-c", end])
    with locked(tmp_path / "shop" / ".lock", "a patient one", seconds=60):
        assert asked.exists(), "the lock was got before its holder was ended"
    ender.wait()


def test_a_night_waits_for_a_moment_of_upkeep(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    held = f"""
import pathlib, sys, time
from data_contracts.night import Workspace
from tasks.lock import between_nights
with between_nights(Workspace.model_validate_json(sys.argv[1]), "weekly", seconds=0):
    print("held", flush=True)
    time.sleep(1)
    pathlib.Path({str(asked)!r}).touch()
"""
    command = [sys.executable, "-c", held, logs(tmp_path).model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upkeep:
        assert upkeep.stdout is not None
        assert upkeep.stdout.readline() == "held\n"
        with only_night(logs(tmp_path), "tonight"):
            assert asked.exists(), "the lock was got before the upkeep had ended"


def test_one_upkeep_at_a_time_and_nights_beside_it(tmp_path: Path) -> None:
    with (
        only_upkeep(logs(tmp_path), "weekly"),
        only_night(logs(tmp_path), "tonight"),
        pytest.raises(LockedError, match="upkeep 'weekly'"),
        only_upkeep(logs(tmp_path), "again"),
    ):
        pass
