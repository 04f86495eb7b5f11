from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from data_contracts.buckets import Buckets
from data_contracts.night import Staged, Workspace
from data_contracts.source_files import taken_note
from data_contracts.staged import read_index, read_rows
from data_contracts.staging import NIGHT
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import IngestError, NoFilesError, UnreadableFileError, WrongColumnError
from tasks.ingest.sources import list_files
from tasks.ingest.stage import stage_night

DAY = date(2026, 11, 20)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(name="shop", use_case="recommender", home=str(tmp_path / "home"), tracking_uri="sqlite://")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def _lines(day: date, count: int = 20, *, first: int = 0) -> list[str]:
    return [f"u{n % 5},i{n},{day}T0{n % 10}:00:00Z" for n in range(first, first + count)]


def _write(path: Path, lines: Sequence[str], *, head: str = "user_id,item_id,timestamp") -> None:
    path.write_text("\n".join([head, *lines]) + "\n")


def _stage(workspace: Workspace, logs: Path, cluster: str) -> Staged:
    return stage_night(workspace, SourceConfig(uri=str(logs)), cluster)


def _consume(workspace: Workspace, staged: Staged, *names: str) -> None:
    """What `validate` remembers of a night, without its rows."""
    tables = {
        name: Table(workspace.tables, promises(workspace.use_case).contracts[name]) for name in ("quarantine", "events")
    }
    for name in names:
        marks, notes = {NIGHT: tables["events"].next_version()}, taken_note(staged.consumed)
        tables[name].commit([], marks=marks, notes=notes)


def _staging(workspace: Workspace) -> list[Path]:
    return [path for path in Path(workspace.staging).rglob("*") if path.is_file()]


def _rows(staged: Staged) -> pl.DataFrame:
    index = read_index(staged.uri)
    assert index is not None
    return pl.concat(read_rows(staged.uri, index.first_rows, index.cells, Buckets()))


def _taken(staged: Staged) -> set[str]:
    """Names of the source files that the staged rows come from."""
    return {posixpath.basename(uri) for uri in _rows(staged)["source_file"].unique()}


def test_all_rows_are_staged_with_where_they_came_from(workspace: Workspace, logs: Path, cluster: str) -> None:
    _write(logs / "a.csv", _lines(DAY) + _lines(DAY, 3))
    _write(logs / "b.csv", [*_lines(DAY, 2), *_lines(DAY, 4, first=100), "u0,i0,soon", "u0,i0,soon"])
    staged = _stage(workspace, logs, cluster)
    rows = _rows(staged)
    assert (staged.rows_read, rows.height) == (31, 31), "also those that came before"
    first = rows.filter(pl.col("item_id") == "i1").select("source_file", "source_row").sort("source_file", "source_row")
    a, b = ((logs / name).as_uri() for name in ("a.csv", "b.csv"))
    assert first.rows() == [(a, 1), (a, 21), (b, 1)]
    assert rows.filter(pl.col("problem") == "timestamp unparseable").height == 2
    assert {path.name for path in _staging(workspace)} == {"000000-0000.arrow", "index.json"}


def test_only_files_not_consumed_are_taken_and_a_file_that_arrives_later_is_new(
    workspace: Workspace, logs: Path, cluster: str
) -> None:
    _write(logs / "a.csv", _lines(DAY))
    _consume(workspace, _stage(workspace, logs, cluster), "quarantine", "events")
    assert _stage(workspace, logs, cluster) == Staged(uri="")
    _write(logs / "b.csv", _lines(DAY + timedelta(days=1)))
    assert _taken(_stage(workspace, logs, cluster)) == {"b.csv"}


def test_rows_of_every_day_are_taken_also_of_days_to_come(workspace: Workspace, logs: Path, cluster: str) -> None:
    _write(logs / "a.csv", [*_lines(DAY), *_lines(DAY + timedelta(days=1), 3), "u0,i0,soon"])
    _write(logs / "b.csv", _lines(date(2131, 1, 1)))
    staged = _stage(workspace, logs, cluster)
    assert (_taken(staged), _rows(staged).height) == ({"a.csv", "b.csv"}, 44)


def test_many_small_files_take_few_tasks_and_few_lines_of_log(
    workspace: Workspace, logs: Path, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(60):
        _write(logs / f"{number:02}.csv", _lines(DAY, 2, first=2 * number))
    with caplog.at_level("INFO", logger="tasks.ingest"):
        staged = _stage(workspace, logs, cluster)
    rows = _rows(staged)
    assert (rows.height, len(_taken(staged)), len(staged.consumed)) == (120, 60, 60)
    assert rows.select((pl.col("item_id").str.slice(1).cast(pl.Int64) % 2 == pl.col("source_row")).all()).item()
    assert len(_staging(workspace)) < 10
    assert len(caplog.messages) < 15
    assert "100 % staged: 120 rows." in caplog.messages


def test_a_large_file_is_staged_by_several_tasks(workspace: Workspace, logs: Path, cluster: str) -> None:
    count = 40_000
    users = pl.select(user_id=pl.format("u{}", pl.int_range(count)), item_id=pl.lit("i"), timestamp=pl.lit(str(DAY)))
    users.write_ndjson(logs / "a.jsonl")
    staged = stage_night(workspace, SourceConfig(uri=str(logs), format="jsonl"), cluster)
    rows = _rows(staged)
    assert len(_staging(workspace)) > 2
    assert rows.sort("source_row")["user_id"].to_list() == [f"u{number}" for number in range(count)]
    assert rows["source_row"].sort().to_list() == list(range(count))


def test_a_night_that_died_between_its_commits_is_finished_first(
    workspace: Workspace, logs: Path, cluster: str
) -> None:
    _write(logs / "a.csv", _lines(DAY))
    first = _stage(workspace, logs, cluster)
    _consume(workspace, first, "quarantine")
    _write(logs / "b.csv", _lines(DAY + timedelta(days=1)))
    again = _stage(workspace, logs, cluster)
    assert (again.consumed, again.rows_read) == (first.consumed, 20)
    _consume(workspace, again, "events")
    assert _taken(_stage(workspace, logs, cluster)) == {"b.csv"}


def test_a_night_that_died_and_was_overtaken_holds_nobody_up(workspace: Workspace, logs: Path, cluster: str) -> None:
    _write(logs / "a.csv", _lines(DAY))
    first = _stage(workspace, logs, cluster)
    _consume(workspace, first, "quarantine")
    _consume(workspace, Staged(uri="", consumed=("file:another",)), "events")
    _write(logs / "b.csv", _lines(DAY + timedelta(days=1)))
    assert _taken(_stage(workspace, logs, cluster)) == {"a.csv", "b.csv"}


@pytest.mark.parametrize(
    ("uri", "message"),
    [pytest.param("nowhere://logs", "nowhere", id="protocol"), pytest.param("dropbox://logs", "dropbox", id="package")],
)
def test_what_nothing_opens_is_an_error(workspace: Workspace, cluster: str, uri: str, message: str) -> None:
    with pytest.raises(IngestError, match=f"cannot be opened: .*{message}"):
        stage_night(workspace, SourceConfig(uri=uri), cluster)


def test_what_a_crash_left_in_staging_is_no_part_of_the_night(workspace: Workspace, logs: Path, cluster: str) -> None:
    _write(logs / "a.csv", _lines(DAY))
    staged = _stage(workspace, logs, cluster)
    (Path(staged.uri) / "000009-0000.arrow").touch()
    assert _stage(workspace, logs, cluster) == staged
    assert {path.name for path in _staging(workspace)} == {"000000-0000.arrow", "index.json"}


@pytest.mark.parametrize("name", ["a.csv", "sub/*.csv", "*.none", None])
def test_no_files_are_an_error(workspace: Workspace, logs: Path, cluster: str, name: str | None) -> None:
    uri = str(logs / name) if name else None
    with pytest.raises(NoFilesError, match="no file at" if name else "source.uri is not set"):
        stage_night(workspace, SourceConfig(uri=uri), cluster)


def test_hidden_files_are_no_logs(workspace: Workspace, logs: Path, cluster: str) -> None:
    for name in (".a.csv.swp", "_SUCCESS", "_temporary/part.csv"):
        (logs / name).parent.mkdir(exist_ok=True)
        (logs / name).touch()
    with pytest.raises(NoFilesError):
        _stage(workspace, logs, cluster)
    assert len(list_files(str(logs / "_temporary"))) == 1, "asked for by its name"


@pytest.mark.parametrize(
    ("files", "kind", "message"),
    [
        pytest.param({"a.csv": ["x"]}, WrongColumnError, "1 of the source files", id="one kind keeps its name"),
        pytest.param(
            {"a.csv": ["x"], "b.csv.gz": None, "c.csv": None},
            IngestError,
            r"(?s)2 of .*a.csv: .*b.csv.gz .*Nothing was published",
            id="all at once",
        ),
        pytest.param({"b.csv.gz": None}, UnreadableFileError, "b.csv.gz", id="no gzip"),
    ],
)
def test_all_files_that_cannot_be_taken_are_named_and_nothing_is_left(
    workspace: Workspace,
    logs: Path,
    cluster: str,
    files: dict[str, list[str] | None],
    kind: type[IngestError],
    message: str,
) -> None:
    for name, lines in files.items():
        _write(logs / name, lines or _lines(DAY), head="uid" if lines else "user_id,item_id,timestamp")
    with pytest.raises(kind, match=message) as error:
        _stage(workspace, logs, cluster)
    assert error.type is kind
    assert _staging(workspace) == []


def test_a_file_written_again_is_another_file(workspace: Workspace, logs: Path, cluster: str) -> None:
    _write(logs / "a.csv", _lines(DAY))
    first = _stage(workspace, logs, cluster)
    os.utime(logs / "a.csv", (1, 1))
    assert _stage(workspace, logs, cluster).consumed != first.consumed


def test_real_ratings_are_taken_whole(workspace: Workspace, real_data: Path, cluster: str) -> None:
    columns = {
        "user_id": "user_id:token",
        "item_id": "item_id:token",
        "timestamp": "timestamp:float",
        "value": "rating:float",
    }
    source = SourceConfig(uri=str(real_data / "ml-100k.inter"), separator="\t", columns=columns, time_unit="s")
    staged = stage_night(workspace, source, cluster)
    assert staged.rows_read == 100_000
    assert _rows(staged)["problem"].null_count() == 100_000


def test_real_reviews_are_taken_whole(workspace: Workspace, real_data: Path, cluster: str) -> None:
    columns = {"user_id": "reviewerID", "item_id": "asin", "timestamp": "unixReviewTime", "value": "overall"}
    file = real_data / "musical_instruments_5core.jsonl"
    source = SourceConfig(uri=str(file), format="jsonl", columns=columns, time_unit="s")
    staged = stage_night(workspace, source, cluster)
    assert staged.rows_read == 10_261
    seen = _rows(staged).sort("source_row").row(0, named=True)
    wanted = json.loads(file.read_text().split("\n", 1)[0])
    assert (seen["user_id"], seen["item_id"], seen["value"]) == (
        wanted["reviewerID"],
        wanted["asin"],
        wanted["overall"],
    )
