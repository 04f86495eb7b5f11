from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from data_contracts.contract import ContractViolationError
from data_contracts.night import Validated, Window, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

DAY = date(2026, 11, 10)
Night = Callable[..., Validated]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "logs").mkdir()
    return Workspace(name="shop", use_case="recommender", home=str(tmp_path / "home"), tracking_uri="sqlite://")


@pytest.fixture
def night(workspace: Workspace, tmp_path: Path, cluster: str) -> Night:
    """One night: a file of logs in, table `events` out."""

    def run(
        name: str, lines: Sequence[str], *, through: date | None = None, config: ValidationConfig | None = None
    ) -> Validated:
        if lines:
            (tmp_path / "logs" / name).write_text("\n".join(["user_id,item_id,timestamp,value", *lines]) + "\n")
        staged = stage_night(workspace, SourceConfig(uri=str(tmp_path / "logs")), through, cluster)
        return validate_night(workspace, staged, config or ValidationConfig(), cluster)

    return run


def _day(days: int = 0) -> date:
    return DAY + timedelta(days=days)


def _lines(day: date, count: int = 300) -> list[str]:
    return [f"u{n % 7},i{n},{day}T10:00:{n % 60:02}Z,1" for n in range(count)]


def _table(workspace: Workspace, name: str) -> Table:
    return Table(workspace.tables, contracts(workspace.use_case)[name])


def _files(workspace: Workspace, folder: str) -> list[Path]:
    return sorted(path for path in Path(workspace.home, workspace.name, folder).rglob("*.parquet") if path.is_file())


def test_good_rows_become_events_and_bad_ones_are_kept_as_they_came(workspace: Workspace, night: Night) -> None:
    bad = [f",i1,{DAY},1", f"u1,i1,{DAY},nan", "u1,i1,soon,1"]
    validated = night("a.csv", [*_lines(DAY), *bad])
    assert validated.model_dump(exclude={"docs_uri"}) == {
        "events": 0,
        "accepted": 300,
        "quarantined": 3,
        "window": {"first_day": DAY, "last_day": DAY},
    }
    assert _table(workspace, "events").read().column("day").unique().to_pylist() == [DAY]
    kept = {row["source_row"]: row for row in _table(workspace, "quarantine").read().to_pylist()}
    assert {row: kept[row]["rule"] for row in kept} == {
        300: "user_id missing",
        301: "value not finite",
        302: "timestamp unparseable",
    }
    assert json.loads(kept[301]["row"])["value"] == "NaN"
    assert json.loads(kept[302]["row"]) == {"user_id": "u1", "item_id": "i1", "timestamp": "soon", "value": "1"}
    assert kept[300]["source_file"].endswith("/logs/a.csv")
    assert kept[300]["day_ingested"] == DAY
    assert "unexpected values found" in Path(validated.docs_uri).read_text()
    assert _files(workspace, "staging") == []


def test_the_same_night_again_publishes_nothing_and_says_the_same(workspace: Workspace, night: Night) -> None:
    first = night("a.csv", _lines(DAY))
    again = night("a.csv", [])
    assert again == first.model_copy(update={"docs_uri": ""})


def test_a_task_that_runs_again_after_its_commits_says_the_same(
    workspace: Workspace, tmp_path: Path, cluster: str, night: Night
) -> None:
    (tmp_path / "logs" / "a.csv").write_text("\n".join(["user_id,item_id,timestamp", f"u,i,{DAY}"]) + "\n")
    staged = stage_night(workspace, SourceConfig(uri=str(tmp_path / "logs")), None, cluster)
    first, again = (validate_night(workspace, staged, ValidationConfig(), cluster) for _ in range(2))
    assert again == first
    assert _table(workspace, "events").version() == 0


def test_windows_follow_each_other_and_catch_up_a_missed_night(night: Night) -> None:
    night("a.csv", _lines(_day(0)) + _lines(_day(1)))
    validated = night("b.csv", _lines(_day(3)))
    assert validated.window == Window(first_day=_day(2), last_day=_day(3))


def test_late_events_are_accepted_for_some_days(workspace: Workspace, night: Night) -> None:
    night("a.csv", _lines(_day(0)))
    late = [f"late,i,{_day(-2)}T00:00:00Z,1", f"too late,i,{_day(-3)}T23:59:59Z,1"]
    validated = night("b.csv", [*_lines(_day(1)), *late], config=ValidationConfig(late_days=3))
    assert (validated.accepted, validated.quarantined) == (301, 1)
    assert _table(workspace, "quarantine").read()["rule"].to_pylist() == ["timestamp older than late_days"]


def test_rows_of_a_later_day_go_to_quarantine(workspace: Workspace, night: Night) -> None:
    night("a.csv", [*_lines(DAY), f"u,i,{_day(1)},1"], through=DAY)
    assert _table(workspace, "quarantine").read()["rule"].to_pylist() == ["timestamp after through"]


@pytest.mark.parametrize(
    ("good", "config", "message"),
    [
        pytest.param(
            300,
            ValidationConfig(),
            r"(?s)'events' 2026-11-10: 2 rules broken in 309 rows \(budget 1.0 %, seen 2.9 %\)."
            r"\n  - user_id missing: 8 rows, e.g. a.csv row 300: \{.*timestamp unparseable: 1 rows.*max_quarantined",
            id="over the budget",
        ),
        pytest.param(0, ValidationConfig(max_quarantined=1.0), "seen 100.0 %.*\n.*\n.*\n.*Fix the source.$", id="all"),
    ],
)
def test_a_night_that_is_refused_publishes_nothing_and_leaves_nothing(
    workspace: Workspace, night: Night, good: int, config: ValidationConfig, message: str
) -> None:
    bad = [*(f",i{n},{DAY},1" for n in range(8)), "u,i,soon,1"]
    with pytest.raises(ContractViolationError, match=message):
        night("a.csv", _lines(DAY, good) + bad, config=config)
    assert _table(workspace, "events").version() is None
    assert _table(workspace, "quarantine").version() is None
    assert _files(workspace, "tables") == _files(workspace, "staging") == []
    (page,) = Path(workspace.docs).iterdir()
    assert "Failed" in page.read_text()


def test_once_the_source_is_mended_the_night_runs(workspace: Workspace, night: Night) -> None:
    with pytest.raises(ContractViolationError):
        night("a.csv", [f",i{n},{DAY},1" for n in range(9)])
    assert night("a.csv", _lines(DAY)).accepted == 300


def test_an_unusual_volume_warns_first_and_stops_after_seven_windows(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = ValidationConfig(stop_on_volume=True)
    night("0.csv", _lines(_day(0)))
    with caplog.at_level(logging.WARNING):
        night("1.csv", _lines(_day(1), 30), config=stopping)
    assert "30 rows a day, the median of 1 days before is 300" in caplog.text
    for n in range(2, 7):
        night(f"{n}.csv", _lines(_day(n)))
    with pytest.raises(ContractViolationError, match="set validation"):
        night("7.csv", _lines(_day(7), 30), config=stopping)
