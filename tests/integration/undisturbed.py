"""Two nights that nobody disturbed, and the house before the second of them, for nights that are.

The first is of the release before, where git has it: every home was made by older code one day.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.conftest import House
from tests.integration.nights import model_server, run_night, small_house, write_day
from tests.integration.outcome import differences, outcome
from tests.integration.release import as_it_knows_them, release_before


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
        release: Folder of the code that the first night ran with; today's when None.
    """

    house: House
    first: Path
    outcome: dict[str, Any]
    heard: list[tuple[str, str]]
    seconds: float
    log: Path
    release: Path | None

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
    """Run two nights in an empty folder that nobody disturbs, the first by the release before if git has it."""
    house = small_house(folder / "home", prefect_url)
    first, heard, log = folder / "first", folder / "heard", folder / "log.txt"
    for day in (1, 2, 3):
        write_day(house, day)
    release = release_before(folder / "release")
    if release is None:
        assert run_night(house, log) == 0, log.read_text()
    else:
        assert run_night(as_it_knows_them(house), log, code=release) == 0, log.read_text()
    write_day(house, 4)
    shutil.copytree(house.home, first, symlinks=True)
    with model_server(house):
        started_at = time.monotonic()
        assert run_night(house, log, HEARD=heard) == 0, log.read_text()
        seconds = time.monotonic() - started_at
        wanted = outcome(house)
    passed = [(line.rsplit(" ", 2)[0], line.rsplit(" ", 2)[1]) for line in heard.read_text().splitlines()]
    return Undisturbed(house, first, wanted, passed, seconds, log, release)
