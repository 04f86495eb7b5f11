from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ValidationError

from data_contracts.recommender.events import EVENTS
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import Arrival
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.lines import BLOCK_BYTES
from tasks.ingest.sources import list_files
from tests.tasks.ingest.source import at, frame_at, rows_at, source_of, stage_file

WRITTEN = datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)
MANY = 120_000
"""Rows of which a text has more bytes than are read at a time."""
ROWS = "user_id,item_id\nu0,i\nu1\nu2,i\n"


def _stage(uri: str, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    rows = []
    for number, file in enumerate(list_files(uri)):
        target = at(folder / f"staged-{number}")
        rows += rows_at(target, stage_file(file, target, source_of(uri=uri, **settings), EVENTS))
    return sorted(rows, key=lambda row: (row["source_file"], row["source_row"]))


def _age(path: Path) -> Path:
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    return path


@pytest.mark.parametrize(("arrival", "later"), [("file", [0, 0, 0]), ("order", [0, 1, 2])])
def test_rows_without_times_happened_when_their_file_was_written(
    tmp_path: Path, arrival: Arrival, later: list[int]
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(ROWS)
    rows = _stage(str(_age(path)), tmp_path, arrival=arrival)
    assert [row["timestamp"] for row in rows] == [WRITTEN + timedelta(microseconds=each) for each in later]
    assert [row["problem"] for row in rows] == [None, "wrong number of columns", None]


def _many(path: Path, kind: str) -> None:
    """Write rows in an order that no column has, more than are read at a time."""
    users = pl.select(user_id=pl.format("u{}", pl.int_range(MANY).reverse()), item_id=pl.lit("i" * 70))
    if kind == "parquet":
        users.write_parquet(path, row_group_size=MANY // 3)
        return
    text = users.write_csv() if kind.startswith("csv") else users.write_ndjson()
    assert len(text) > BLOCK_BYTES
    path.write_bytes(gzip.compress(text.encode(), 1) if kind.endswith(".gz") else text.encode())


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_rows_stand_in_the_order_of_their_file_though_it_is_read_in_pieces(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    _many(path, kind)
    (file,) = list_files(str(_age(path)))
    target, source = at(tmp_path / "staged"), source_of(format=kind.removesuffix(".gz"), arrival="order")
    staged = stage_file(file, target, source, EVENTS)
    assert staged.rows == MANY
    position = MANY - 1 - pl.col("user_id").str.slice(1).cast(pl.Int64)
    made_up = pl.lit(WRITTEN) + pl.duration(microseconds=position)
    rows = frame_at(target, staged)
    assert rows is not None
    assert rows.select((pl.col("timestamp") == made_up).all()).item()


def test_rows_that_are_left_out_or_broken_keep_their_positions(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\nu0,i\nu1,none\nu2\nu3,i\nu4,i\n")
    rows = _stage(str(_age(path)), tmp_path, arrival="order", where="item_id != 'none'")
    at = {row["user_id"]: row["timestamp"] for row in rows if row["problem"] is None}
    assert at == {f"u{each}": WRITTEN + timedelta(microseconds=each) for each in (0, 3, 4)}


def test_a_file_in_an_archive_arrived_with_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("log.csv", ROWS)
    _age(tmp_path / "a.zip")
    rows = _stage(f"zip://*.csv::{tmp_path}/a.zip", tmp_path, arrival="file")
    assert rows[0]["timestamp"] == WRITTEN


def test_members_that_are_rows_stand_in_the_order_of_their_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("b", "a", "c"):
            (tmp_path / name).write_bytes(b"")
            archive.add(tmp_path / name, f"u/{name}")
    columns = {"user_id": "folder", "item_id": "name"}
    rows = _stage(str(_age(tmp_path / "a.tar")), tmp_path, format="files", columns=columns, arrival="order")
    later = {row["item_id"]: row["timestamp"] - WRITTEN for row in rows}
    assert later == {name: timedelta(microseconds=each) for each, name in enumerate("bac")}


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
        stage_file(silent, at(tmp_path / "staged"), source_of(arrival="file"), EVENTS)
    assert file.written is not None
    stage_file(file, at(tmp_path / "staged"), source_of(arrival="file"), EVENTS)


@pytest.mark.parametrize("arrival", ["file", "order"])
@pytest.mark.parametrize(
    "settings",
    [{"time_unit": "s"}, {"time_format": "%Y-%m-%d"}, {"time_zone": "Asia/Tokyo"}, {"format": "sequences"}],
)
def test_how_times_are_written_says_nothing_of_arrivals(settings: dict[str, Any], arrival: Arrival) -> None:
    with pytest.raises(ValidationError, match=r"would be ignored: arrival says|arrival has no meaning"):
        SourceConfig.model_validate({"arrival": arrival, **settings})


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
    assert rows[0]["timestamp"] == datetime(2026, 11, 20, tzinfo=UTC)
