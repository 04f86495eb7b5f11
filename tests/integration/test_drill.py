"""The long way round: every commit point alone, each with a full disk, a slow disk, and kills at random moments."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from flows.ending import exit_code
from tests.integration.full_disk import fill_and_recover
from tests.integration.nights import COUNT, FAULTS, ended, run_night
from tests.integration.undisturbed import Undisturbed
from tests.killing import POINTS

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
KILLS = 20


@pytest.fixture(scope="module", autouse=True)
def invariants(undisturbed: Undisturbed, request: pytest.FixtureRequest) -> Iterator[None]:
    """Say at the end by what the nights were compared."""
    yield
    request.config.get_terminal_writer().line(f"\nCompared each time: {', '.join(undisturbed.outcome)}")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_a_night_killed_at_a_point_and_run_again_is_as_undisturbed(
    point: str, moment: str, undisturbed: Undisturbed
) -> None:
    with undisturbed.second() as house:
        undisturbed.night(house, code=-signal.SIGKILL, POINT=point, MOMENT=moment, COUNT=COUNT.get(point, 1))
        undisturbed.night(house)
        undisturbed.assert_equal(house)


@pytest.mark.parametrize("point", POINTS)
def test_a_night_whose_disk_is_full_at_a_point_and_that_is_run_again_is_as_undisturbed(
    point: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    fill_and_recover(point, undisturbed, tmp_path)


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


@pytest.fixture
def slow_disk(tmp_path: Path) -> Path:
    """A library that slows down whatever program is started with it."""
    compiler = shutil.which("cc")
    assert compiler is not None, "no C compiler (cc): this test builds tests/faults/slow_disk.c."
    library = tmp_path / "slow_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, FAULTS / "slow_disk.c", "-ldl"], check=True)
    return library


def test_a_night_on_a_slow_disk_ends_as_on_any_other(undisturbed: Undisturbed, slow_disk: Path) -> None:
    with undisturbed.second() as house:
        undisturbed.night(house.under(LD_PRELOAD=slow_disk, SLOW_DISK=house.home))
        undisturbed.assert_equal(house)


@dataclass
class Kill:
    """A kill at a moment, of the flow or of any process that it started.

    Attributes:
        seconds: After the start of the night.
        chance: Chooses among the processes; the flow itself is killed without.
        killed: Command line of who was; empty when the night was over by then.
    """

    seconds: float
    chance: random.Random | None
    killed: str = ""

    def __call__(self, pid: int) -> None:
        time.sleep(self.seconds)
        try:
            victim = psutil.Process(pid)
            if self.chance is not None:
                victim = self.chance.choice([victim, *victim.children(recursive=True)])
            line = " ".join(victim.cmdline())[-120:]
            victim.kill()
            self.killed = line
        except psutil.Error:
            return


@pytest.mark.parametrize("number", range(KILLS))
def test_a_night_killed_at_any_moment_and_run_again_is_as_undisturbed(
    number: int, drill_seed: int, undisturbed: Undisturbed, say: Callable[[str], None]
) -> None:
    """When it is not the flow that is killed, the night may help itself, or end with an error."""
    chance = random.Random(f"{drill_seed} {number}")
    with undisturbed.second() as house:
        for _ in range(chance.randint(1, 3)):
            kill = Kill(chance.uniform(1, undisturbed.seconds), chance if chance.random() < 0.5 else None)
            code = run_night(house, undisturbed.log, meanwhile=kill)
            what = f"{kill.killed!r} killed after {kill.seconds:.1f} s, exit code {code}"
            say(f"DRILL_SEED={drill_seed}, {number}: {what}")
        undisturbed.night(house)
        undisturbed.assert_equal(house)
