"""A file that is cut says the same as one that is read in one go."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.recommender.events import EVENTS
from tasks.ingest.batches import batches, cut
from tasks.ingest.errors import IngestError, UnreadableFileError
from tasks.ingest.lines import BLOCK_BYTES
from tasks.ingest.pieces import Piece
from tasks.ingest.sources import SourceFile, list_files
from tests.tasks.ingest.source import at, rows_at, source_of, stage_file

LINES = [
    b'{"user_id": "u", "item_id": "i", "timestamp": "2026-11-20", "value": 1}',
    b'{"user_id": "3.0", "item_id": 7, "timestamp": "2026-11-20"}',
    b'{"user_id": 4, "item_id": 7.5, "timestamp": "soon", "value": null}',
    b'{"user_id": "NaN", "item_id": "i", "timestamp": "2026-11-20"}',
    b'{"user_id": true, "item_id": "\xc3\xbc", "timestamp": "2026-11-20"}',
    b'{"user_id": "\xff", "item_id": "i", "timestamp": "2026-11-20"}',
    b'{"item_id": "i", "timestamp": "20/11/2026", "Event": "x"}',
    b'{"user_id": "x", "item_id": "\\ud800", "timestamp": NaN}',
    b'{"user_id": "a"}{"user_id": "b"}',
    b'[{"user_id": "a"}, {"user_id": "b"}]',
    b"not JSON",
    b"\xef\xbb\xbf{}",
    b"   ",
    b"",
    b"5",
]
ENDS = [b"\n", b"\r\n", b"\n\n", b"\r"]


def _cut_at(file: SourceFile, places: Sequence[int]) -> list[Piece]:
    bounds = [0, *sorted(places), None]
    return [Piece(file=file, start=start or 0, end=end) for start, end in pairwise(bounds)]


def _outcome(file: SourceFile, pieces: Sequence[Piece], **settings: Any) -> tuple[Any, ...]:
    """Return all that a file says, its parts aside: of nobody's rows the bucket follows from where they stand."""
    target = at(Path(file.path).with_name(f"staged-{len(pieces)}"))
    try:
        staged = stage_file(file, target, source_of(uri=file.uri, **settings), EVENTS, pieces)
    except IngestError as error:
        return type(error), str(error)
    rows = [{name: value for name, value in row.items() if name != "bucket"} for row in rows_at(target, staged)]
    return staged.model_copy(update={"parts": ()}), rows


@pytest.mark.parametrize("wanted", [{}, {"where": "item_id != 'i'"}, {"compute": {"user_id": "user_id || item_id"}}])
@given(
    lines=st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12),
    begin=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    last=st.sampled_from([b"", LINES[0], LINES[1][:20]]),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    places=st.lists(st.integers(1, 1_000), min_size=1, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_json_lines_say_the_same_however_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: dict[str, Any],
    lines: list[tuple[bytes, bytes]],
    begin: bytes,
    last: bytes,
    encoding: str,
    places: list[int],
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "log.jsonl"
    path.write_bytes(begin + b"".join(line + end for line, end in lines) + last)
    (file,) = list_files(str(path))
    told = {"format": "jsonl", "encoding": encoding, **wanted}
    assert _outcome(file, _cut_at(file, places), **told) == _outcome(file, [], **told)


@given(
    ids=st.lists(st.sampled_from(["u", "3.0", "4", "", "NaN", None]), min_size=1, max_size=30),
    rows=st.integers(1, 7),
    places=st.lists(st.integers(1, 4_000), min_size=1, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_parquet_says_the_same_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str | None], rows: int, places: list[int]
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "log.parquet"
    times = ["soon" if each == "4" else "2026-11-20" for each in ids]
    columns = {"user_id": ids, "item_id": ["i"] * len(ids), "timestamp": times, "value": range(len(ids))}
    frame = pl.DataFrame(columns, schema_overrides={"user_id": pl.String})
    frame.write_parquet(path, row_group_size=rows)
    (file,) = list_files(str(path))
    assert _outcome(file, _cut_at(file, places), format="parquet") == _outcome(file, [], format="parquet")


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize("longer", [pytest.param(0, id="as long as a line may be"), pytest.param(1, id="longer")])
def test_a_line_of_many_pieces_is_read_once_or_refused_as_in_one_go(tmp_path: Path, end: str, longer: int) -> None:
    line = json.dumps({"user_id": "u", "item_id": "i", "timestamp": "2026-11-20"})
    long = json.dumps({"user_id": "x", "item_id": "i", "timestamp": "2026-11-20", "x": ""})
    long = long.replace('"x": ""', f'"x": "{"x" * (BLOCK_BYTES - len(long) + longer)}"')
    path = tmp_path / "log.jsonl"
    path.write_text(end.join([line, long, line, ""]), newline="")
    (file,) = list_files(str(path))
    whole = _outcome(file, [], format="jsonl")
    assert (whole[0] is UnreadableFileError) == bool(longer)
    assert _outcome(file, _cut_at(file, [5, 100, 1_000_000, BLOCK_BYTES + 3]), format="jsonl") == whole


def test_storage_that_cannot_seek_has_everything_in_the_first_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFile, "seekable", lambda _: False)
    text = "".join(json.dumps({"user_id": n, "item_id": "i", "timestamp": "2026-11-20"}) + "\n" for n in range(20))
    MemoryFileSystem().pipe("/pieces/log.jsonl", text.encode())
    (file,) = list_files("memory://pieces/log.jsonl")
    target = at(tmp_path / "staged")
    staged = stage_file(file, target, source_of(uri=file.uri, format="jsonl"), EVENTS, cut(file, 4))
    assert [row["user_id"] for row in rows_at(target, staged)] == [str(n) for n in range(20)]


def _file(name: str, size: int) -> SourceFile:
    return SourceFile(uri=name if ":" in name else f"file:///{name}", size=size, transaction=name)


def _shares(files: Sequence[SourceFile], workers: int = 2, **settings: Any) -> list[list[Piece]]:
    return list(batches(files, source_of(uri="logs", **settings), workers))


MANY = 4 * 2**30


@pytest.mark.parametrize(
    ("name", "settings", "is_cut"),
    [
        pytest.param("a.jsonl", {"format": "jsonl"}, True, id="lines"),
        pytest.param("a.jsonl", {"format": "jsonl", "encoding": "latin-1"}, True, id="a byte a character"),
        pytest.param("a.parquet", {"format": "parquet"}, True, id="row groups"),
        pytest.param("a.jsonl", {"format": "jsonl", "encoding": "utf-16"}, False, id="line breaks of two bytes"),
        pytest.param("a.jsonl", {"format": "jsonl", "encoding": "shift-jis"}, False, id="an encoding that remembers"),
        pytest.param("a.jsonl", {"format": "jsonl", "encoding": "iso2022_jp"}, False, id="another one"),
        pytest.param("a.jsonl.gz", {"format": "jsonl"}, False, id="packed"),
        pytest.param("https://host/a.jsonl", {"format": "jsonl"}, False, id="a server that may not seek"),
        pytest.param("s3://host/a.jsonl", {"format": "jsonl"}, True, id="one that can"),
        pytest.param("a.csv", {}, False, id="quotes"),
        pytest.param("a.jsonl", {"format": "jsonl", "arrival": "order"}, False, id="times by position"),
    ],
)
def test_a_large_file_is_cut_where_its_rows_show_themselves(
    name: str, settings: dict[str, Any], *, is_cut: bool
) -> None:
    shares = _shares([_file(name, MANY)], **settings)
    assert (len(shares) > 1) == is_cut
    pieces = [piece for (piece,) in shares]
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].end) == (0, None)
    assert all((piece.end or MANY) - piece.start <= 64 * 2**20 for piece in pieces) == is_cut


def test_what_is_in_an_archive_is_not_cut() -> None:
    file = _file("a.jsonl", MANY).model_copy(update={"archive": _file("a.zip", 1)})
    assert len(_shares([file], format="jsonl")) == 1


def test_small_files_are_put_together_and_none_is_lost() -> None:
    files = [_file(f"{number}.jsonl", size) for number, size in enumerate([20, 0, 3 * 2**20, 20] * 250)]
    shares = _shares(files, format="jsonl")
    assert len(shares) < 20
    assert [piece.file for share in shares for piece in share] == files


@pytest.mark.parametrize("count", [1, 1_000])
def test_every_worker_has_something_to_do(count: int) -> None:
    day = 4 * 2**20 // count
    assert len(_shares([_file(f"{number}.parquet", day) for number in range(count)], format="parquet")) >= 4


def test_a_day_in_one_file_of_three_row_groups_is_staged_by_two_tasks(tmp_path: Path) -> None:
    count = 670_000
    frame = pl.select(
        user_id=pl.format("u{}", pl.int_range(count) % 9_973),
        item_id=pl.format("i{}", pl.int_range(count) % 1_009),
        timestamp=pl.datetime(2026, 11, 20, time_zone="UTC") + pl.duration(microseconds=pl.int_range(count) * 128_957),
    )
    frame.write_parquet(tmp_path / "day.parquet")
    (file,) = list_files(str(tmp_path / "day.parquet"))
    shares = _shares([file], format="parquet")
    target, source = at(tmp_path / "staged"), source_of(uri=file.uri, format="parquet")
    staged = stage_file(file, target, source, EVENTS, [piece for (piece,) in shares])
    assert len(staged.parts) == 3
    rows = pl.DataFrame(rows_at(target, staged)[::1_000])
    assert rows["source_row"].to_list() == list(range(0, count, 1_000))


def test_packed_lines_are_one_piece_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES[:2])))
    (file,) = list_files(str(path))
    ((piece,),) = _shares([file], format="jsonl")
    assert piece.is_whole
