from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.night import Candidate, Workspace
from data_contracts.recommender.items import ITEMS
from data_contracts.table import Table
from tasks.tidy.config import KeepConfig
from tasks.tidy.disk import disk_use, in_words
from tasks.tidy.prune import prune
from tasks.tidy.task import tidy


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(name="shop", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite:///none.db")
    for age, name in enumerate(("newest", "middle", "oldest")):
        weights = Path(made.runs) / name / "fit-from-nothing" / "weights"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(bytes(10_000))
        os.utime(Path(made.runs) / name, (1_000 - age, 1_000 - age))
    return made


def kept(workspace: Workspace) -> set[str]:
    return {folder.name for folder in Path(workspace.runs).iterdir()}


@pytest.mark.parametrize(
    ("run_id", "runs", "left"),
    [
        pytest.param("newest", 3, {"newest", "middle", "oldest"}, id="no more than are kept"),
        pytest.param("newest", 2, {"newest", "middle"}, id="the oldest goes"),
        pytest.param("oldest", 2, {"oldest", "newest"}, id="the night's own stays, however old"),
        pytest.param("oldest", 1, {"oldest"}, id="the night's own alone"),
    ],
)
def test_all_but_the_last_run_folders_go(workspace: Workspace, run_id: str, runs: int, left: set[str]) -> None:
    for _ in "once", "twice":
        prune(workspace, run_id, runs=runs)
        assert kept(workspace) == left


def test_what_other_nights_left_in_staging_goes(workspace: Workspace) -> None:
    left = Path(workspace.staging) / "0123456789abcdef" / "files"
    left.mkdir(parents=True)
    (left / "000000.parquet").write_bytes(b"half")
    prune(workspace, "newest", runs=3)
    assert not Path(workspace.staging).exists()


def test_a_prune_killed_half_way_left_whole_folders_and_is_finished_by_the_next(workspace: Workspace) -> None:
    half = Path(workspace.staging) / "older still"
    half.mkdir(parents=True)
    (half / "candidate.json").write_text("{}")
    prune(workspace, "newest", runs=3)
    assert kept(workspace) == {"newest", "middle", "oldest"}
    assert not half.exists()


def test_what_a_refused_night_wrote_into_a_table_goes(workspace: Workspace) -> None:
    table = Table(workspace.tables, ITEMS)
    rows = pa.table({"item_id": ["a"], "item_index": pa.array([1], pa.int32()), "first_window": ["2026-01-01"]})
    table.commit(table.write(rows, "night-000001"), ["events@1"])
    (orphan,) = table.write(rows, "night-000002")
    prune(workspace, "newest", runs=3)
    assert not (Path(table.uri) / orphan.path).exists()
    assert table.read().num_rows == 1


def test_an_empty_house_is_tidy(tmp_path: Path) -> None:
    empty = Workspace(name="shop", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite:///none.db")
    prune(empty, "none", runs=1)
    assert disk_use(empty) == {}


def test_what_cannot_be_tidied_is_a_warning(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    Path(workspace.staging).write_text("a file where the folder should be")
    tidy.fn(workspace, Candidate(run_id="newest", checkpoint="", trained_through=""), KeepConfig())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "FileExistsError" in caplog.text


def test_disk_use_is_said_part_by_part(workspace: Workspace) -> None:
    (Path(workspace.home) / "mlflow.db").write_bytes(bytes(4_096))
    use = disk_use(workspace)
    assert list(use) == ["runs", "mlflow.db"]
    assert use["runs"] >= 30_000
    assert in_words({"runs": 1_500_000, "tables": 500_000}) == "runs 1.5 MB, tables 0.5 MB; together 2.0 MB"
