from __future__ import annotations

import os
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ValidationError

from data_contracts.recommender.events import EVENTS
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.files import stage_file
from tasks.ingest.sources import list_files
from tests.tasks.ingest.source import source_of

WRITTEN = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)
ROWS = "user_id,item_id\nu0,i\nu1\nu2,i\n"


def _stage(uri: str, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    rows = []
    for number, file in enumerate(list_files(uri)):
        stage_file(file, f"{folder}/staged-{number}", source_of(uri=uri, **settings), EVENTS)
        rows += pq.read_table(f"{folder}/staged-{number}").to_pylist()
    return sorted(rows, key=lambda row: (row["source_file"], row["source_row"]))


def _age(path: Path) -> Path:
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    return path


def test_rows_without_times_happened_when_their_file_was_written_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(ROWS)
    rows = _stage(str(_age(path)), tmp_path, arrival="file")
    assert [row["timestamp"] for row in rows] == [WRITTEN + timedelta(microseconds=each) for each in range(3)]
    assert {row["day"] for row in rows} == {date(2026, 11, 20)}
    assert [row["problem"] for row in rows] == [None, "wrong number of columns", None]


def test_a_file_in_an_archive_arrived_with_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("log.csv", ROWS)
    _age(tmp_path / "a.zip")
    rows = _stage(f"zip://*.csv::{tmp_path}/a.zip", tmp_path, arrival="file")
    assert rows[0]["timestamp"] == WRITTEN


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_any_format_may_be_without_times(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    if kind == "jsonl":
        path.write_text('{"user_id": "u0", "item_id": "i"}\n')
    else:
        pq.write_table(pa.table({"user_id": ["u0"], "item_id": ["i"], "timestamp": ["never"]}), path)
    (row,) = _stage(str(_age(path)), tmp_path, format=kind, arrival="file")
    assert (row["timestamp"], row["problem"]) == (WRITTEN, None), "a column of that name is not read"


def test_storage_that_does_not_say_when_a_file_was_written_is_named(tmp_path: Path) -> None:
    MemoryFileSystem().pipe("/arrival/log.csv", ROWS.encode())
    (file,) = list_files("memory://arrival/log.csv")
    silent = file.model_copy(update={"written": None})
    with pytest.raises(WrongColumnError, match=r"log.csv: its storage does not say when it was written"):
        stage_file(silent, str(tmp_path / "staged"), source_of(arrival="file"), EVENTS)
    assert file.written is not None
    stage_file(file, str(tmp_path / "staged"), source_of(arrival="file"), EVENTS)


@pytest.mark.parametrize(
    "settings",
    [{"time_unit": "s"}, {"time_format": "%Y-%m-%d"}, {"time_zone": "Asia/Tokyo"}, {"format": "sequences"}],
)
def test_how_times_are_written_says_nothing_of_arrivals(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"would be ignored: arrival says|arrival has no meaning"):
        SourceConfig.model_validate({"arrival": "file", **settings})


@pytest.mark.parametrize(
    ("folder", "settings"),
    [
        pytest.param("date=2026-11-20", {"columns": {"timestamp": "date"}}, id="ISO"),
        pytest.param("date=20.11.2026", {"columns": {"timestamp": "date"}, "time_format": "%d.%m.%Y"}, id="a pattern"),
        pytest.param(
            "year=2026/month=11/day=20",
            {"compute": {"timestamp": "year || '-' || month || '-' || \"day\""}},
            id="three folders",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_folders_may_say_the_day(tmp_path: Path, folder: str, settings: dict[str, Any], kind: str) -> None:
    path = tmp_path / folder / f"log.{kind}"
    path.parent.mkdir(parents=True)
    path.write_text(ROWS if kind == "csv" else '{"user_id": "u0", "item_id": "i"}\n')
    rows = _stage(str(tmp_path), tmp_path.parent, format=kind, **settings)
    assert {row["day"] for row in rows} == {date(2026, 11, 20)}
    assert rows[0]["timestamp"] == datetime(2026, 11, 20, tzinfo=UTC)
