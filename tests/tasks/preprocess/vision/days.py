"""Days of made-up pictures, taken by the rooms before preprocess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.night import HeldOut, Night, Validated, Workspace
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.vision.night import build_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_labels, validate_night
from tests.data_contracts.vision.made_up import LABELS, bars, encoded

FIRST = date(2026, 3, 1)
A_DAY = 20
HELD_OUT = HeldOut(min_targets=10, min_units=10)
FEATURES = FeatureConfig(size=12)


class Days:
    """A folder of pictures, and its nights."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.workspace = Workspace(name="bars", use_case="vision", home=str(home / "home"), tracking_uri="sqlite://")
        self.folder = home / "images"
        self.folder.mkdir()
        self.cluster = cluster

    def write(
        self,
        day: int,
        *,
        labels: Sequence[str] = LABELS,
        unlabelled: int = 1,
        broken: Sequence[bytes] = (),
        named: bool = False,
    ) -> None:
        """Write the pictures of one day, counted from 0: some without label, and some broken besides.

        Args:
            day: From 0.
            labels: Of the three kinds.
            unlabelled: Pictures of which nobody says what they show.
            broken: Further files.
            named: Whether some say whom they show, and all where they were made.
        """
        pixels, numbers = bars(A_DAY, seed=day)
        images = [*(encoded(each[:, :, 0]) for each in pixels), *broken]
        said = [None if place < unlabelled else labels[number] for place, number in enumerate(numbers)]
        start = datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC)
        times = [start + timedelta(minutes=place) for place in range(len(images))]
        table = {"image": images, "label": [*said, *("broken" for _ in broken)], "seen_at": times}
        if named:
            table["subject_id"] = [f"patient {place // 2}" if place % 3 else None for place in range(len(images))]
            table["source"] = ["north" if place % 2 else "south" for place in range(len(images))]
        table["image_id"] = [f"{day}-{place}" for place in range(len(images))]
        pq.write_table(pa.table(table), self.folder / f"{day:02}.parquet")

    def label(self, said: Sequence[tuple[str, str, int]]) -> None:
        """Say later what pictures show: id, label, and the day on which that was said, at noon."""
        folder = self.folder.with_name("labels")
        folder.mkdir(exist_ok=True)
        times = [datetime.combine(FIRST + timedelta(days=day), time(12), UTC) for *_, day in said]
        names, labels, _ = zip(*said, strict=True)
        table = pa.table({"image_id": names, "label": labels, "labelled_at": times})
        pq.write_table(table, folder / f"{len(list(folder.iterdir())):02}.parquet")
        source = LabelSourceConfig(uri=f"{folder}/*.parquet", format="parquet")
        staged = stage_night(self.workspace, source, self.cluster)
        validate_labels(self.workspace, staged, ValidationConfig(), self.cluster)

    def publish(self, source: SourceConfig | None = None, **settings: object) -> Validated:
        """Take the new files."""
        source = source or SourceConfig(uri=f"{self.folder}/*.parquet", format="parquet")
        staged = stage_night(self.workspace, source, self.cluster)
        config = ValidationConfig.model_validate({"max_quarantined": 0.5} | settings)
        return validate_night(self.workspace, staged, None, config, self.cluster)

    def build(self, validated: Validated, features: FeatureConfig = FEATURES, *, held_out: HeldOut = HELD_OUT) -> Night:
        """Make features of them."""
        return build_night(self.workspace, validated, held_out, features, "nightly", self.cluster)
