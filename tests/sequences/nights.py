"""A source whose files come late, change and go, and its nights: killed, repeated, and lied to, in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tasks.preprocess.recommender.ranges import ROWS_PER_TASK
from tests.killing import Moment
from tests.sequences.house import POINTS, House, Kill
from tests.sequences.logs import Damage, File, Format, Line
from tests.sequences.strategies import Spec, lines, specs

START = date(2026, 1, 10)
ENDINGS: dict[str, tuple[Format, tuple[Damage, ...]]] = {
    "csv": ("csv", ("wrong columns",)),
    "csv.gz": ("csv", ("wrong columns", "cut off")),
    "jsonl": ("jsonl", ("wrong columns",)),
    "parquet": ("parquet", ("wrong columns", "cut off")),
}
"""Of a file's name, to what it is and how it may be damaged."""

kills = st.tuples(st.sampled_from(POINTS), st.sampled_from(get_args(Moment)))
throughs = st.sampled_from([None, None, None, 0, 1])
"""None, or days before the newest."""


class Nights(RuleBasedStateMachine):
    """Does to a source and its nights whatever may happen to them.

    Args:
        cluster: Address of a Dask scheduler.
        folder: Where to make a folder for each sequence.
        seen: How nights ended, how often: added to.
    """

    def __init__(self, cluster: str, folder: Path, seen: Counter[str]) -> None:
        super().__init__()
        self.cluster, self.seen = cluster, seen
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.day = START
        self.names: list[str] = []
        self.is_new = self.is_again = False

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(
        ending=st.sampled_from(sorted(ENDINGS)),
        rows=specs(good=8, other=2),
        crowd=st.sampled_from([14, 2]),
        rows_per_task=st.sampled_from([ROWS_PER_TASK, 5]),
    )
    def the_first_days(self, ending: str, rows: list[Spec], crowd: int, rows_per_task: int) -> None:
        self.ending, self.crowd = ending, crowd
        self.house = House(self.cluster, self.folder, ENDINGS[ending][0], self.seen, rows_per_task=rows_per_task)
        for days in range(3):
            self._new_file(rows, self.day + timedelta(days=days))
        self.day += timedelta(days=2)

    @rule(rows=specs(good=4, other=3), missed=st.sampled_from([0, 0, 0, 7]))
    def a_day_goes_by(self, rows: list[Spec], missed: int) -> None:
        """With its file; or a week, with one file."""
        self.day += timedelta(days=missed)
        self._next_day(rows)

    @rule(rows=specs(good=4, other=2), through=throughs)
    def a_day_and_its_night(self, rows: list[Spec], through: int | None) -> None:
        self._next_day(rows)
        self._night(through)

    @rule(rows=specs(good=4, other=2), kill=kills, then=st.sampled_from(["again", "a new day", "touched", "removed"]))
    def a_day_and_its_night_killed(self, rows: list[Spec], kill: Kill, then: str) -> None:
        """Then another night, on the same files or on others."""
        file = self._next_day(rows)
        self._night(None, kill)
        if then == "a new day":
            self._next_day(rows)
        elif then == "touched":
            self._write(file)
        elif then == "removed":
            self._remove(file)
        self._night(None)

    @rule(rows=specs(good=1, other=1), days=st.integers(1, 5))
    def a_late_file(self, rows: list[Spec], days: int) -> None:
        self._new_file(rows, self.day - timedelta(days=days))

    @rule(rows=specs(good=2, other=2), damage=st.integers(0, 2), then=st.sampled_from(["mended", "removed", "stays"]))
    def a_bad_file_and_its_night(self, rows: list[Spec], damage: int, then: str) -> None:
        damages = ENDINGS[self.ending][1]
        file = self._new_file(rows, self.day, damages[damage % len(damages)])
        self._night(None)
        if then == "mended":
            self._write(file._replace(damage=""))
        elif then == "removed":
            self._remove(file)

    @precondition(lambda self: any(file.damage for file in self.house.model.files.values()))
    @rule()
    def bad_files_are_mended(self) -> None:
        for file in list(self.house.model.files.values()):
            if file.damage:
                self._write(file._replace(damage=""))

    @precondition(lambda self: self.house.model.files)
    @rule(number=st.integers(0, 9), rows=specs(good=0, other=2))
    def a_file_is_written_again(self, number: int, rows: list[Spec]) -> None:
        """With the same rows and more, of the newest day; or merely touched, with no more."""
        file = self._any_file(number)
        self._write(file._replace(lines=file.lines + self._lines(rows, self.day)))

    @precondition(lambda self: self.house.model.files)
    @rule(number=st.integers(0, 9))
    def a_file_is_removed(self, number: int) -> None:
        self._remove(self._any_file(number))

    @precondition(lambda self: self.is_new)
    @rule(through=throughs, kill=st.none() | kills)
    def a_night(self, through: int | None, kill: Kill | None) -> None:
        self._night(through, kill)

    @precondition(lambda self: not self.is_new and not self.is_again)
    @rule(through=throughs)
    def the_same_night_again(self, through: int | None) -> None:
        self._night(through)
        self.is_again = True

    def _next_day(self, rows: list[Spec]) -> File:
        self.day += timedelta(days=1)
        return self._new_file(rows, self.day)

    def _lines(self, rows: list[Spec], day: date) -> tuple[Line, ...]:
        return lines(rows, day, self.house.kind, self.crowd)

    def _any_file(self, number: int) -> File:
        files = sorted(self.house.model.files.values())
        return files[number % len(files)]

    def _new_file(self, rows: list[Spec], day: date, damage: Damage = "") -> File:
        self.names.append(f"{len(self.names):03}.{self.ending}")
        return self._write(File(self.names[-1], self._lines(rows, day), 0, damage))

    def _write(self, file: File) -> File:
        self.is_new = True
        return self.house.write(file)

    def _remove(self, file: File) -> None:
        self.is_new = True
        self.house.remove(file)

    def _night(self, back: int | None, kill: Kill | None = None) -> None:
        through = None if back is None else self.day - timedelta(days=back)
        self.is_new, self.is_again = self.house.night(through, kill), False
