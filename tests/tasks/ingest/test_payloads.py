"""Columns of bytes, as a picture or a sound is, on their way in."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.buckets import Buckets
from data_contracts.contract import DataContract
from data_contracts.staged import read_rows
from data_contracts.staging import MAX_BYTES
from tasks.ingest import parquet
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tasks.ingest.sources import list_files
from tasks.validate.repeats import first_of_equal, known
from tests.tasks.ingest.source import Staged, at, rows_at, stage_file

SOUNDS = DataContract(
    name="sounds",
    schema=pa.schema(
        [
            pa.field("sound", pa.binary(), nullable=False),
            pa.field("said", pa.string()),
            pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="at",
)
NOISE = bytes(range(256))
AT = datetime(2026, 3, 1, tzinfo=UTC)


def stage(path: Path, sounds: pa.Array, **settings: Any) -> Staged:
    pq.write_table(pa.table({"sound": sounds, "said": ["a"] * len(sounds), "at": [AT] * len(sounds)}), path)
    (file,) = list_files(str(path))
    source = SourceConfig(uri=str(path), format="parquet", **settings)
    return stage_file(file, at(path.with_name("staged")), source, SOUNDS)


def rows(folder: Path, staged: Staged) -> list[dict[str, Any]]:
    return rows_at(at(folder / "staged"), staged)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())], ids=str)
def test_bytes_come_through_as_they_are(tmp_path: Path, kind: pa.DataType) -> None:
    staged = stage(tmp_path / "sounds.parquet", pa.array([NOISE, b"plain", NOISE * 40, None, b""]).cast(kind))
    assert [row["sound"] for row in rows(tmp_path, staged)] == [NOISE, b"plain", NOISE * 40, None, None]
    assert [row["problem"] for row in rows(tmp_path, staged)] == [None] * 5  # an empty one is none
    assert staged.columns["sound"] == "binary"


def test_bytes_that_are_too_long_are_kept_as_they_begin(tmp_path: Path) -> None:
    staged = stage(tmp_path / "sounds.parquet", pa.array([b"x" * (MAX_BYTES + 1), b"x" * MAX_BYTES]))
    long, longest = rows(tmp_path, staged)
    assert (long["sound"], long["problem"]) == (None, "sound longer than 8,388,608 bytes")
    assert json.loads(long["original"])["sound"] == base64.b64encode(b"x" * 192).decode() + "…"
    assert len(longest["sound"]) == MAX_BYTES


def test_rows_with_much_in_them_weigh_as_many(tmp_path: Path) -> None:
    staged = stage(tmp_path / "sounds.parquet", pa.array([NOISE * 40] * 3))
    assert sum(staged.parts[0].weights) == 3 * (1 + (256 * 40 + 1) // 128)


def test_equal_bytes_are_repeats_and_those_that_the_table_has_are_known(tmp_path: Path) -> None:
    staged = stage(tmp_path / "sounds.parquet", pa.array([NOISE, b"new", NOISE, b"old"]))
    old = tmp_path / "old.parquet"
    at_ = pa.array([AT], SOUNDS.schema.field("at").type)
    pq.write_table(pa.table({"sound": [b"old"], "said": ["a"], "at": at_}), old)
    blocks = read_rows(str(tmp_path), dict.fromkeys((part.name for part in staged.parts), 0), 1, Buckets())
    first, read = first_of_equal(blocks, SOUNDS)
    assert (read, sorted(first["sound"])) == (4, [NOISE, b"new", b"old"])
    assert first.filter(known(first, [str(old)], SOUNDS))["sound"].to_list() == [b"old"]


@pytest.mark.parametrize(
    ("column", "seen"),
    [(pa.array(["text"]), "String"), (pa.array([1]), "Int64"), (pa.array([[b"x"]]), "List")],
    ids=["text", "number", "list"],
)
def test_what_is_no_bytes_is_refused(tmp_path: Path, column: pa.Array, seen: str) -> None:
    with pytest.raises(WrongColumnError, match=f"column 'sound' is {seen}.*, wanted Binary"):
        stage(tmp_path / "sounds.parquet", column)


def test_bytes_are_no_text_where_text_is_wanted_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "sounds.csv").write_text("sound,said,at\nx,a,2026-03-01\n")
    (file,) = list_files(str(tmp_path / "sounds.csv"))
    with pytest.raises(WrongColumnError, match="column 'sound' is String, wanted Binary"):
        stage_file(file, at(tmp_path / "staged"), SourceConfig(uri=file.uri), SOUNDS)


def test_a_long_text_of_a_table_becomes_bytes_by_an_expression(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text(f"body,said,at\n{'é' * 50_000},a,2026-03-01\n")
    (file,) = list_files(str(tmp_path / "texts.csv"))
    source = SourceConfig(uri=file.uri, compute={"sound": "CAST(body AS BYTEA)"})
    staged = stage_file(file, at(tmp_path / "staged"), source, SOUNDS)
    assert [row["sound"] for row in rows(tmp_path, staged)] == ["é".encode() * 50_000]


def test_a_default_is_no_bytes(tmp_path: Path) -> None:
    with pytest.raises(WrongColumnError, match="sound is bytes, and takes no default"):
        stage(tmp_path / "sounds.parquet", pa.array([NOISE]), defaults={"sound": "x"})


def test_a_row_group_that_holds_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_PAYLOAD_PAGES_BYTES", 100_000)
    with pytest.raises(UnreadableFileError, match=r"row group 0 .* in column 'sound'.*: write fewer rows"):
        stage(tmp_path / "sounds.parquet", pa.array([bytes([number]) * 20_000 for number in range(10)]))
