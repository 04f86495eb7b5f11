from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.language.symbols import FIRST
from data_contracts.night import HeldOut, Night, Validated, Workspace
from data_contracts.payloads.sounds import Sounds
from data_contracts.quarantine import QUARANTINE
from data_contracts.speech.log_mel import log_mel
from data_contracts.speech.transcribed import normalised
from data_contracts.table import Table
from data_contracts.waiting import Waiting
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.speech.config import FeatureConfig
from tasks.preprocess.speech.night import build_night
from tasks.preprocess.speech.tables import Tables
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_labels, validate_night
from tests.data_contracts.payloads.made_up import encoded
from tests.data_contracts.speech.made_up import spoken, texts

FIRST_DAY = date(2026, 3, 1)
A_DAY = 12
FEATURES = FeatureConfig(rate=8_000, mels=16)
PAST, HELD = (str(FIRST_DAY + timedelta(days=day)) for day in (1, 2))


class Days:
    """A folder of recordings, and its nights."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.workspace = Workspace(name="calls", use_case="speech", home=str(home / "home"), tracking_uri="sqlite://")
        self.folder = home / "sounds"
        self.folder.mkdir()
        self.cluster = cluster

    def write(self, day: int, said: list[str | None], sounds: list[bytes] | None = None) -> None:
        """Write the recordings of one day, counted from 0; None was not written down."""
        start = datetime.combine(FIRST_DAY + timedelta(days=day), time(9), UTC)
        table = {
            "sound": sounds
            or [spoken(normalised(text or "ab"), seed=100 * day + place) for place, text in enumerate(said)],
            "text": pa.array(said, pa.string()),
            "spoken_at": [start + timedelta(minutes=place) for place in range(len(said))],
            "recording_id": [f"{day}-{place}" for place in range(len(said))],
            "speaker_id": ["ann" if place % 2 else None for place in range(len(said))],
        }
        pq.write_table(pa.table(table), self.folder / f"{day:02}.parquet")

    def transcribe(self, name: str, text: str, day: int) -> None:
        """Write down what a recording says, at noon of a day."""
        folder = self.folder.with_name("transcripts")
        folder.mkdir(exist_ok=True)
        moment = datetime.combine(FIRST_DAY + timedelta(days=day), time(12), UTC)
        row = {"recording_id": [name], "text": [text], "transcribed_at": [moment]}
        pq.write_table(pa.table(row), folder / f"{name}.parquet")
        source = LabelSourceConfig(uri=f"{folder}/*.parquet", format="parquet")
        staged = stage_night(self.workspace, source, self.cluster)
        validate_labels(self.workspace, staged, ValidationConfig(), self.cluster)

    def publish(self) -> Validated:
        staged = stage_night(
            self.workspace, SourceConfig(uri=f"{self.folder}/*.parquet", format="parquet"), self.cluster
        )
        config = ValidationConfig.model_validate({"max_quarantined": 0.5})
        return validate_night(self.workspace, staged, None, config, self.cluster)

    def build(self, validated: Validated, features: FeatureConfig = FEATURES) -> Night:
        held_out = HeldOut(min_targets=10, min_units=10)
        return build_night(self.workspace, validated, held_out, features, "nightly", self.cluster)

    def examples(self, night: Night) -> pl.DataFrame:
        rows = pl.DataFrame(Tables(self.workspace.tables).examples.read(night.tables["examples"]))
        return rows.sort("window", "known_at")


@pytest.fixture
def days(tmp_path: Path, cluster: str) -> Days:
    made = Days(tmp_path, cluster)
    for day in range(3):
        made.write(day, [*texts(A_DAY - 2, seed=day), "Ab, CD!", None])
    return made


def test_recordings_become_frames_and_characters_get_numbers(days: Days) -> None:
    night = days.build(days.publish())
    assert night.windows == (PAST, HELD)
    rows = days.examples(night)
    assert Counter(rows["window"]) == {PAST: 2 * (A_DAY - 1), HELD: A_DAY - 1}
    own = rows.filter(pl.col("window") == HELD)
    assert own["text"].to_list() == [*texts(A_DAY - 2, seed=2), "ab cd"]
    wanted = log_mel(Sounds().decoded(spoken(own["text"][3], seed=203)), rate=8_000, mels=16)
    np.testing.assert_array_equal(np.frombuffer(own["log_mel"][3], np.float16).reshape(-1, 16), wanted)
    assert own["frames"][3] == len(wanted)
    assert own["speaker_id"].to_list()[:4] == [None, "ann", None, "ann"]
    numbered = Tables(days.workspace.tables).numbered()
    assert set(numbered["symbol"]) == set(" abcd")
    assert numbered["symbol_number"].to_list() == list(range(FIRST, FIRST + 5))
    assert days.build(days.publish()) == night, "a night that is done changes nothing"


def test_what_is_written_down_later_is_an_example_of_that_day(days: Days) -> None:
    before = days.build(days.publish())
    days.write(3, [*texts(A_DAY, seed=3)])
    days.transcribe(f"2-{A_DAY - 1}", "Dada", 3)
    later = days.build(days.publish())
    new = days.examples(later).filter(pl.col("window") == later.window.key)
    assert new.height == A_DAY + 1
    assert days.examples(later).height == days.examples(before).height + A_DAY + 1
    assert "dada" in new["text"].to_list()
    assert Waiting.of(Tables(days.workspace.tables).examples) == Waiting(rows_waiting=2)


def test_a_broken_sound_is_in_quarantine_with_its_rule_and_nothing_is_lost(days: Days) -> None:
    silent, short = encoded(np.zeros((8_000, 1), np.float32), rate=8_000), spoken("abcd")[:-99]
    days.write(3, ["ab", "cd", "dd", "\u2026"], [spoken("ab"), silent, short, spoken("ab")])
    days.build(days.publish())
    rows = pl.DataFrame(Table(days.workspace.tables, QUARANTINE).read())
    assert sorted(rows["rule"]) == [
        "sound cut short or not decodable",
        "sound is silent",
        "text without a letter or a number",
    ]


def test_other_features_are_refused(days: Days) -> None:
    days.build(days.publish())
    days.write(3, ["ab"])
    with pytest.raises(OtherFeaturesError, match=r"features\.mels: the tables have 16, the settings say 20"):
        days.build(days.publish(), FeatureConfig(rate=8_000, mels=20))
