"""Days of texts in a folder of Parquet files, and the nights that take them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.night import HeldOut, Night, Validated, Workspace
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.language.config import FeatureConfig
from tasks.preprocess.language.night import build_night
from tasks.preprocess.language.tables import Tables
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night
from tests.data_contracts.language.made_up import stories

FIRST = date(2026, 3, 1)
A_DAY = 12
HELD_OUT = HeldOut(min_targets=500, min_units=10)
FEATURES = FeatureConfig()
PAST, HELD = (str(FIRST + timedelta(days=day)) for day in (1, 2))


class Days:
    """A folder of texts, and its nights."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.workspace = Workspace(name="said", use_case="language", home=str(home / "home"), tracking_uri="sqlite://")
        self.folder = home / "texts"
        self.folder.mkdir()
        self.cluster = cluster
        self.tables = Tables(self.workspace.tables)

    def write(self, day: int, texts: Sequence[bytes] = (), *, at: int | None = None) -> None:
        """Write the texts of one day, counted from 0; ``at`` another day, where it comes late."""
        own = list(texts) or stories(A_DAY, seed=day)
        start = datetime.combine(FIRST + timedelta(days=day if at is None else at), datetime.min.time(), UTC)
        times = pa.array([start + timedelta(minutes=place) for place in range(len(own))], pa.timestamp("us", "UTC"))
        table = pa.table({"text": pa.array(own, pa.binary()), "written_at": times})
        pq.write_table(table, self.folder / f"{len(list(self.folder.iterdir())):02}.parquet")

    def publish(self) -> Validated:
        """Take the new files."""
        source = SourceConfig(uri=f"{self.folder}/*.parquet", format="parquet")
        staged = stage_night(self.workspace, source, self.cluster)
        return validate_night(self.workspace, staged, None, ValidationConfig(max_quarantined=0.5), self.cluster)

    def build(self, validated: Validated, features: FeatureConfig = FEATURES, *, held_out: HeldOut = HELD_OUT) -> Night:
        """Make features of them."""
        return build_night(self.workspace, validated, held_out, features, "nightly", self.cluster)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the characters that have numbers, in their order."""
        return tuple(self.tables.numbered()["symbol"])

    def examples(self, night: Night) -> pl.DataFrame:
        """Return them in order."""
        rows = pl.DataFrame(self.tables.examples.read(night.tables["examples"]))
        return rows.sort("window", "written_at")
