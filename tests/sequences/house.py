"""A source and the nights that take its files, beside the model of both: after every night they are compared."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest
from hypothesis import currently_in_test_context, note

from data_contracts.commit_point import BEFORE
from data_contracts.night import HeldOut, Night, Workspace
from tasks.ingest.stage import stage_night
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.preprocess.recommender.ranges import ROWS_PER_TASK
from tasks.tidy.prune import prune
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night
from tests.killing import Killed, Moment, killed_at
from tests.sequences.features import COMMITS, Features, RefusedError
from tests.sequences.invariants import assert_features, assert_published, disk
from tests.sequences.logs import File, Format, source, write
from tests.sequences.model import Model

POINTS = (*BEFORE, "events", *COMMITS)
FEATURES = FeatureConfig(max_length=4)
HELD_OUT = HeldOut(min_targets=3, min_units=2)
VALIDATION = ValidationConfig(late_days=2, max_quarantined=0.34)

Kill = tuple[str, Moment]


class House:
    """One set of logs and its tables.

    Args:
        cluster: Address of a Dask scheduler.
        folder: Empty, for logs and tables.
        kind: What the logs are.
        seen: How nights ended, how often: added to.
        rows_per_task: Rows that preprocess works on at once.
    """

    def __init__(
        self, cluster: str, folder: Path, kind: Format, seen: Counter[str], *, rows_per_task: int = ROWS_PER_TASK
    ) -> None:
        self.cluster, self.kind, self.seen, self.rows_per_task = cluster, kind, seen, rows_per_task
        self.logs = folder / "logs"
        self.logs.mkdir()
        home = str(folder / "home")
        self.home = Workspace(name="shop", use_case="recommender", home=home, tracking_uri="sqlite://")
        self.model = Model(VALIDATION, Features(HELD_OUT))
        self.writes = 0

    def write(self, file: File) -> File:
        """Write a file, or write it again, later than all others, and return it as it is then."""
        self.writes += 1
        file = file._replace(generation=1_000_000_000 + self.writes)
        self.model.files[file.name] = file
        write(self.logs, file, self.kind)
        return file

    def remove(self, file: File) -> None:
        """Remove a file."""
        (self.logs / file.name).unlink()
        del self.model.files[file.name]

    def night(self, through: date | None = None, kill: Kill | None = None) -> bool:
        """Run a night of the model and the real one, compare what they leave, and return whether it was killed."""
        before, tables = self._progress(), disk(self.home.tables)
        error, end = self._imagine(through, kill)
        if currently_in_test_context():
            note(f"night through {through}, wanted: {end}")
        self.seen[end] += 1
        if error is not None:
            at = killed_at(*kill, disk=Path(self.home.home)) if kill and error is Killed else nullcontext()
            with pytest.raises(error), at:
                self._run(through)
            if error is not Killed and self._progress() == before:
                assert disk(self.home.tables) == tables, "a refused night changes nothing"
        else:
            night = self._run(through)
            if self._progress() == before:
                assert disk(self.home.tables) == tables, "a night again changes nothing"
            prune(self.home, "", runs=1)
            assert disk(self.home.staging) == {}
            assert_features(self.home, night, self.model, FEATURES.max_length)
        assert_published(self.home, self.model)
        return error is Killed

    def _progress(self) -> tuple[int, int]:
        return self.model.version, len(self.model.features.builds)

    def _imagine(self, through: date | None, kill: Kill | None) -> tuple[type[BaseException] | None, str]:
        """Run a night of the model, and return the error it must end with, and its end in words."""
        night = self.model.night(through)
        builds = len(self.model.features.builds)
        try:
            for point in night:
                if kill and kill[0] == point:
                    if kill[1] == "after":
                        next(night, None)
                    return Killed, f"killed {kill[1]} {point}"
        except RefusedError as refused:
            return refused.kind, f"refused by {refused}"
        return None, f"finished with {len(self.model.features.builds) - builds} nights built"

    def _run(self, through: date | None) -> Night:
        """Run the data side of a night, and compare what its rooms say with the model."""
        staged = stage_night(self.home, source(self.logs, self.kind), self.cluster)
        validated = validate_night(self.home, staged, through, VALIDATION, self.cluster)
        opened, batch = self.model.opened[-1], self.model.batches[-1]
        assert opened.window == (validated.window.first_day, validated.window.last_day)
        assert validated.truth == opened.version
        counts = validated.rows_read, validated.accepted, validated.quarantined, validated.repeats
        assert counts == (batch.read, len(batch.events), len(batch.broken), batch.repeats)
        assert validated.early == sum(event.timestamp.date() > validated.window.last_day for event in batch.events)
        return build_night(
            self.home, validated, HELD_OUT, FEATURES, "nightly", self.cluster, rows_per_task=self.rows_per_task
        )
