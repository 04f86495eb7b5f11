"""A source whose files come, change and go, and the nights that take them, beside the model of both."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from data_contracts.night import HeldOut, Night, Window, Workspace
from tasks.ingest.stage import stage_night
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.tidy.prune import prune
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night
from tests.killing import Killed, Moment, killed_at
from tests.sequences.invariants import assert_features, assert_published, disk
from tests.sequences.logs import Damage, File, Format, source, write
from tests.sequences.model import Model, RefusedError
from tests.sequences.strategies import Spec, lines, specs

START = date(2026, 1, 10)
POINTS = ("staging", "quarantine", "events", "items", "item_counts", "examples", "histories")
FEATURES = FeatureConfig(max_length=4)
HELD_OUT = HeldOut(min_targets=3, min_users=2)
VALIDATION = ValidationConfig(late_days=2, max_quarantined=0.34)
DAMAGES: dict[str, tuple[Damage, ...]] = {
    "csv": ("wrong columns", "no UTF-8"),
    "csv.gz": ("wrong columns", "no UTF-8", "cut off"),
    "jsonl": ("wrong columns", "no UTF-8"),
    "parquet": ("wrong columns", "cut off"),
}

Kill = tuple[str, Moment]
kills = st.tuples(st.sampled_from(POINTS), st.sampled_from(get_args(Moment)))
throughs = st.sampled_from([None, None, None, 0, 1])
"""None, or days before the newest."""


class Nights(RuleBasedStateMachine):
    """Does to a source and its nights whatever may happen to them, and looks at the tables after each night.

    Args:
        cluster: Address of a Dask scheduler.
        folder: Where to make a home of its own.
        seen: What happened, how often: added to.
    """

    def __init__(self, cluster: str, folder: Path, seen: Counter[str]) -> None:
        super().__init__()
        self.cluster = cluster
        self.seen = seen
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        home = str(self.folder / "home")
        self.home = Workspace(name="shop", use_case="recommender", home=home, tracking_uri="sqlite://")
        self.model = Model(VALIDATION.late_days, VALIDATION.max_quarantined, HELD_OUT)
        self.day = START
        self.days: dict[str, date] = {}
        self.writes = 0
        self.is_new = self.is_again = False

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(ending=st.sampled_from(sorted(DAMAGES)), rows=specs(good=8, other=2))
    def the_first_days(self, ending: str, rows: list[Spec]) -> None:
        self.ending = ending
        self.format: Format = "parquet" if ending == "parquet" else "jsonl" if ending == "jsonl" else "csv"
        for _ in range(3):
            self._new_file(rows, self.day)
            self.day += timedelta(days=1)

    @rule(rows=specs(good=4, other=3), missed=st.sampled_from([0, 0, 0, 7]))
    def a_day_goes_by(self, rows: list[Spec], missed: int) -> None:
        """With its file; or a week, with one file."""
        self.day += timedelta(days=1 + missed)
        self._new_file(rows, self.day)

    @rule(rows=specs(good=4, other=2), through=throughs)
    def a_day_and_its_night(self, rows: list[Spec], through: int | None) -> None:
        self.a_day_goes_by(rows, 0)
        self._night(through)

    @rule(rows=specs(good=4, other=2), kill=kills, then=st.sampled_from(["again", "a new day", "touched", "removed"]))
    def a_day_and_its_night_killed(self, rows: list[Spec], kill: Kill, then: str) -> None:
        """Then another night, on the same files or on others."""
        self.day += timedelta(days=1)
        file = self._new_file(rows, self.day)
        self._night(None, kill)
        if then == "a new day":
            self.a_day_goes_by(rows, 0)
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
        damages = DAMAGES[self.ending]
        file = self._new_file(rows, self.day, damages[damage % len(damages)])
        self._night(None)
        if then == "mended":
            self._write(file._replace(damage=""))
        elif then == "removed":
            self._remove(file)

    @precondition(lambda self: any(file.damage for file in self.model.files.values()))
    @rule()
    def bad_files_are_mended(self) -> None:
        for file in list(self.model.files.values()):
            if file.damage:
                self._write(file._replace(damage=""))

    @precondition(lambda self: self.model.files)
    @rule(number=st.integers(0, 9), rows=specs(good=0, other=2))
    def a_file_is_written_again(self, number: int, rows: list[Spec]) -> None:
        """With the same rows and more, of the newest day; or merely touched, with no more."""
        file = self._any_file(number)
        self._write(file._replace(lines=file.lines + lines(rows, self.day, self.format)))

    @precondition(lambda self: self.model.files)
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

    def _any_file(self, number: int) -> File:
        return sorted(self.model.files.values())[number % len(self.model.files)]

    def _new_file(self, rows: list[Spec], day: date, damage: Damage = "") -> File:
        name = f"{len(self.days):03}.{self.ending}"
        self.days[name] = day
        return self._write(File(name, lines(rows, day, self.format), 0, damage))

    def _write(self, file: File) -> File:
        self.writes += 1
        self.is_new = True
        file = file._replace(generation=1_000_000_000 + self.writes)
        self.model.files[file.name] = file
        write(self.logs, file, self.format)
        return file

    def _remove(self, file: File) -> None:
        (self.logs / file.name).unlink()
        del self.model.files[file.name]
        self.is_new = True

    def _night(self, back: int | None, kill: Kill | None = None) -> None:
        """Run a night of the model and the real one, and compare what they leave."""
        through = None if back is None else self.day - timedelta(days=back)
        version, builds = self.model.version, len(self.model.builds)
        before = disk(self.home.tables)
        error, end = self._imagine(through, kill)
        if currently_in_test_context():
            note(f"night through {through}, wanted: {end}")
        self.seen[end] += 1
        if error is not None:
            at = killed_at(*kill, disk=Path(self.home.home)) if kill and error is Killed else nullcontext()
            with pytest.raises(error), at:
                self._run(through)
            if error is not Killed and self.model.version == version:
                assert disk(self.home.tables) == before, "a refused night changes nothing"
        else:
            night = self._run(through)
            if (self.model.version, len(self.model.builds)) == (version, builds):
                assert disk(self.home.tables) == before, "a night again changes nothing"
            prune(self.home, "", runs=1)
            assert disk(self.home.staging) == {}
            assert_features(self.home, night, self.model, FEATURES.max_length)
        assert_published(self.home, self.model)
        self.is_new, self.is_again = error is Killed, False

    def _imagine(self, through: date | None, kill: Kill | None) -> tuple[type[BaseException] | None, str]:
        """Run a night of the model, and return the error it must end with, and its end in words."""
        night = self.model.night(through)
        builds = len(self.model.builds)
        try:
            for point in night:
                if kill and kill[0] == point:
                    if kill[1] == "after":
                        next(night, None)
                    return Killed, f"killed {kill[1]} {point}"
        except RefusedError as refused:
            return refused.kind, f"refused by {refused}"
        return None, f"finished with {len(self.model.builds) - builds} nights built"

    def _run(self, through: date | None) -> Night:
        """Run the data side of a night, and compare what its rooms say with the model."""
        staged = stage_night(self.home, source(self.logs, self.format), through, self.cluster)
        validated = validate_night(self.home, staged, VALIDATION, self.cluster)
        batch = self.model.batches[-1]
        assert validated.window == Window(first_day=batch.first_day, last_day=batch.through)
        assert validated.events == batch.version
        counts = validated.rows_read, validated.accepted, validated.quarantined, validated.repeats
        assert counts == (batch.read, len(batch.events), len(batch.broken), batch.repeats)
        return build_night(self.home, validated, HELD_OUT, FEATURES, "nightly", self.cluster)
