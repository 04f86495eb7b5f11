"""Logs as they are published elsewhere, made up here in their form: settings alone make them rows of the house."""

from __future__ import annotations

import csv
import io
import itertools
import logging
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.night import Validated, Workspace
from data_contracts.use_cases import incoming_tables
from flows.conserved import conserved
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import Arrival
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

RECOMMENDED_OR_NOT = """
uri: {logs}/all.csv
where: click = '1'
columns: {{value: propensity_score}}
compute:
  user_id: "user_feature_0 || '/' || user_feature_1 || '/' || user_feature_2 || '/' || user_feature_3"
  event: "CASE position WHEN '1' THEN 'left' WHEN '2' THEN 'middle' ELSE 'right' END"
"""
TRUST = """
uri: {logs}/trust.csv
header: [source, target, rating, time]
columns: {{user_id: source, item_id: target, timestamp: time}}
compute:
  value: TRY_CAST(rating AS DOUBLE) / 10
  event: CASE WHEN TRY_CAST(rating AS DOUBLE) < 0 THEN '0' ELSE '1' END
values: {{event: {{0: distrust, 1: trust}}}}
time_unit: s
"""


class House:
    """Takes logs night by night."""

    def __init__(self, home: Path, cluster: str, said: str, *, max_quarantined: float = 0.5) -> None:
        self.logs = home / "logs"
        self.logs.mkdir(parents=True)
        self.source = SourceConfig.model_validate(yaml.safe_load(said.format(logs=self.logs)))
        self.workspace = Workspace(name="own", use_case="recommender", home=str(home), tracking_uri="sqlite://")
        self._cluster, self._config = cluster, ValidationConfig(max_quarantined=max_quarantined)

    def night(self) -> Validated:
        """Take what is new."""
        staged = stage_night(self.workspace, self.source, self._cluster)
        return validate_night(self.workspace, staged, None, self._config, self._cluster)

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the truth, by time."""
        truth = incoming_tables(self.workspace).kept
        rows: list[dict[str, Any]] = truth.read().sort_by("timestamp").to_pylist()
        return rows


def _written(rows: list[list[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _impressions(draw: random.Random) -> Iterator[list[object]]:
    """Rows in the form of Open Bandit's ``all.csv``: without a name for the first column, ids that are hashes."""
    features = [f"user_feature_{number}" for number in range(4)]
    yield ["", "timestamp", "item_id", "position", "click", "propensity_score", *features, "user-item_affinity_0"]
    for row in range(200):
        when = NOON + timedelta(seconds=row, microseconds=draw.randrange(1, 1_000_000))
        hashes = [f"{draw.randrange(3):032x}" for _ in features]
        yield [row, str(when), draw.randrange(80), draw.randrange(1, 4), int(row % 10 == 0), 0.0125, *hashes, 0.0]


def test_only_clicks_of_a_bandits_log_by_users_that_are_four_features(tmp_path: Path, cluster: str) -> None:
    house = House(tmp_path, cluster, RECOMMENDED_OR_NOT)
    rows = list(_impressions(random.Random(0)))
    (house.logs / "all.csv").write_text(_written(rows))
    night = house.night()
    assert (night.rows_read, night.accepted, night.left_out) == (200, 20, 180)
    first = house.rows()[0]
    assert first["user_id"] == "/".join(str(each) for each in rows[1][6:10])
    assert (first["item_id"], first["value"]) == (str(rows[1][2]), pytest.approx(0.0125))
    assert first["event"] == {"1": "left", "2": "middle", "3": "right"}[str(rows[1][3])]
    assert first["timestamp"] == datetime.fromisoformat(str(rows[1][1]))
    more: list[list[object]] = [["soon", 1], [NOON, 0], [NOON, 1]]
    again = [*rows, *([200, str(when), 7, 1, click, 0.1, *rows[1][6:]] for when, click in more)]
    (house.logs / "all.csv").write_text(_written(again))
    night = house.night()
    counts = (night.rows_read, night.accepted, night.quarantined, night.repeats, night.left_out)
    assert counts == (203, 1, 1, 20, 181)


def test_ratings_without_a_header_and_below_zero(tmp_path: Path, cluster: str) -> None:
    house = House(tmp_path, cluster, TRUST)
    (house.logs / "trust.csv").write_text("6,2,4,1795176000.12\n6,5,-10,1795176001\n1,15,1,1795176002\n")
    assert house.night().accepted == 3
    assert [(row["user_id"], row["event"], row["value"]) for row in house.rows()] == [
        ("6", "trust", pytest.approx(0.4)),
        ("6", "distrust", -1),
        ("1", "trust", pytest.approx(0.1)),
    ]


ARRIVALS = """
uri: [{logs}/a.csv, {logs}/b.csv]
where: item_id != 'none'
arrival: ARRIVAL
"""


@pytest.mark.parametrize(
    ("arrival", "accepted", "said"),
    [
        pytest.param("file", 2, "are those at which their files were last written, one moment for all", id="files"),
        pytest.param("order", 4, "are made up from positions: that at which their file was last written", id="rows"),
    ],
)
def test_a_night_says_how_times_were_made_up_and_how_many_rows_were_left_out(
    tmp_path: Path,
    cluster: str,
    caplog: pytest.LogCaptureFixture,
    arrival: Arrival,
    accepted: int,
    said: str,
) -> None:
    house = House(tmp_path, cluster, ARRIVALS.replace("ARRIVAL", arrival))
    for name in ("a", "b"):
        (house.logs / f"{name}.csv").write_text("user_id,item_id\nu,i\nu,i\nu,none\n,i\n")
        written = int(NOON.timestamp()) * 10**9 + 2_000 * (name == "b")
        os.utime(house.logs / f"{name}.csv", ns=(written, written))
    with caplog.at_level(logging.INFO):
        night = house.night()
    assert f"Rows say no time: their times {said}" in caplog.text
    assert ("1 of the files were written before the made-up times of" in caplog.text) == (arrival == "order")
    assert (night.accepted, night.quarantined, night.left_out) == (accepted, 2, 2)
    (found,) = conserved(house.workspace, [house.source])
    counted = f"rows read 8 = accepted {accepted} + quarantined 2 + dropped 0 + repeats {4 - accepted} + left out 2"
    assert found.startswith(f"{counted}; their times {said}")


def test_a_night_of_which_nothing_is_taken_is_remembered_and_opens_no_window(tmp_path: Path, cluster: str) -> None:
    house = House(tmp_path, cluster, "uri: {logs}\nwhere: item_id != 'none'\n")
    head = "user_id,item_id,timestamp\n"
    (house.logs / "a.csv").write_text(head + f"u,i,{NOON:%F}\n")
    assert house.night().accepted == 1
    (house.logs / "b.csv").write_text(head + f"u,none,{NOON:%F}\n")
    night = house.night()
    assert (night.rows_read, night.accepted, night.left_out, night.docs_uri) == (1, 0, 1, "")
    assert house.night() == night, "its file is not read again"


LINE = st.one_of(
    st.tuples(
        st.sampled_from(["u1", "u2", ""]),
        st.sampled_from(["2026-11-20", "2026-11-21", "soon", "", "2199-01-01"]),
        st.sampled_from(["1", "4", "many", ""]),
        st.sampled_from(["view", "bot", ""]),
    ).map(",".join),
    st.sampled_from(["u1,2026-11-20", '"u1', "u1,2026-11-20,4,view,more"]),
)
FULL = [f"f{row},2026-11-2{row % 2},5,view" for row in range(40)]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LINE, max_size=15), min_size=1, max_size=3))
def test_every_row_read_is_accepted_quarantined_a_repeat_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, cluster: str, files: list[list[str]]
) -> None:
    said = (
        "{{uri: '{logs}', where: \"kind != 'bot' AND TRY_CAST(rating AS DOUBLE) >= 4\", columns: {{value: rating}}, "
        "compute: {{item_id: \"'i' || rating\"}}}}"
    )
    house = House(tmp_path_factory.mktemp("own"), cluster, said, max_quarantined=1)
    for number, lines in enumerate([FULL, *files]):
        (house.logs / f"{number}.csv").write_text("\n".join(["user_id,timestamp,rating,kind", *lines]) + "\n")
    night = house.night()
    assert night.rows_read == len(FULL) + sum(map(len, files))
    assert night.rows_read == night.accepted + night.quarantined + night.dropped + night.repeats + night.left_out
    plain = [line for line in itertools.chain(*files) if line.count(",") == 3 and '"' not in line]
    if not any('"' in line for lines in files for line in lines):
        assert night.left_out == sum(line.endswith(",bot") or line.split(",")[2] == "1" for line in plain)
