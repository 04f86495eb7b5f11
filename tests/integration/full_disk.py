"""Fill the disk under a night, which says so and harms nothing; with room again it ends as if nothing had happened."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_contracts.version import CHAMPION
from tests.integration.conftest import House
from tests.integration.outcome import outcome
from tests.integration.undisturbed import Undisturbed

MEGABYTES = 16
NO_SPACE = ("No space left on device", "database or disk is full")
SWITCHED = ("switch", "deployed")
"""Points at which tonight's model is champion, and the server needs no disk to put it in service."""


def served(outcome: Mapping[str, Any]) -> list[object]:
    """Return what of a night's outcome its users see."""
    return [outcome["in memory"]["served"], outcome["answers"], outcome["aliases"].get(CHAMPION)]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Lay a disk of its own, in memory, over ``folder``."""
    _as_root("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        _as_root("umount", "--lazy", str(folder))


def make_room(folder: Path) -> None:
    """Make the disk over ``folder`` much larger."""
    _as_root("mount", "-o", f"remount,size={16 * MEGABYTES}m", str(folder))


def _as_root(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.stderr}This test needs the right to mount: run it as root."
    )


def fill_and_recover(point: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Fill the disk at a commit point, see that the night fails as it should, make room, and run it again."""
    with small_disk(undisturbed.house.home), undisturbed.second() as house:
        fill(point, house, undisturbed, tmp_path)
        undisturbed.night(house)
        undisturbed.assert_equal(house)


def fill(point: str, house: House, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Fill a house's small disk at a commit point, see that the night fails as it should, and make room."""
    yesterday, tonight = served(outcome(house)), served(undisturbed.outcome)
    ballast = house.home / "ballast"
    said = undisturbed.night(house, code=1, POINT=point, FILL=ballast, ONCE=tmp_path / "filled")
    failure = said.rpartition("The night failed.")[2]
    assert any(words in failure for words in NO_SPACE), said
    assert str(house.home) in failure, said
    assert served(outcome(house)) == (tonight if point in SWITCHED else yesterday)
    ballast.unlink()
    make_room(house.home)
