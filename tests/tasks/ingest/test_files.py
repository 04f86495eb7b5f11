from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import socket
import tarfile
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.recommender.events import EVENTS
from tasks.ingest.errors import IngestError, UnreadableFileError, WrongColumnError
from tasks.ingest.lines import BLOCK_BYTES
from tasks.ingest.sources import SourceFile, list_files
from tests.tasks.ingest.source import at, frame_at, source_of, stage, stage_file

HEAD = "user_id,item_id,timestamp,value\n"
LINES = [f"u{n % 7},i{n % 11},2026-11-{20 + n % 3}T00:00:00Z,1.5\n" for n in range(60)]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        pytest.param("log.csv", bytes, id="plain"),
        pytest.param("log[1].csv", bytes, id="a name like a glob"),
        pytest.param("log.csv.gz", gzip.compress, id="gzip"),
        pytest.param("log.csv.GZ", gzip.compress, id="gzip, in capitals"),
        pytest.param("log.csv.bz2", bz2.compress, id="bzip2"),
        pytest.param("log.csv.zst", lambda raw: pa.compress(raw, "zstd", asbytes=True), id="zstd"),
    ],
)
def test_a_file_is_read_whatever_it_is_packed_in(tmp_path: Path, name: str, pack: Any) -> None:
    staged, rows = stage(tmp_path / name, pack((HEAD + "".join(LINES)).encode()))
    assert staged.rows == 60
    assert {day for part in staged.parts for day in part.days} == {date(2026, 11, 20 + n) for n in range(3)}
    assert [row["source_row"] for row in rows] == list(range(60))
    assert {"user_id": "u1", "item_id": "i1", "event": "view", "value": 1.5}.items() <= rows[1].items()


def _tar(raw: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("log.csv")
        member.size = len(raw)
        archive.addfile(member, io.BytesIO(raw))
    return file.getvalue()


def _zip(raw: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("log.csv", raw)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "sequences"])
@pytest.mark.parametrize(
    ("name", "pack", "message"),
    [
        pytest.param("log.txt", gzip.compress, "it is gzip, .*: name it .gz", id="gzip"),
        pytest.param("log.txt", bz2.compress, "it is bzip2, .*: name it .bz2", id="bzip2"),
        pytest.param("log.txt", lambda raw: pa.compress(raw, "zstd", asbytes=True), "name it .zst", id="zstd"),
        pytest.param("log", lambda raw: pa.compress(raw, "lz4", asbytes=True), "name it .lz4", id="lz4"),
        pytest.param("log.txt.xz", lzma.compress, "it is xz, .*: pack it as .gz", id="xz"),
        pytest.param("log.zip", _zip, "it is a zip, .*: read it as zip://", id="zip"),
        pytest.param("log.tar", _tar, "it is a tar, .*: read it as tar://", id="tar"),
        pytest.param("log.tar.gz", lambda raw: gzip.compress(_tar(raw)), "inside gzip it is a tar", id="packed tar"),
        pytest.param(
            "log.gz", lambda raw: gzip.compress(gzip.compress(raw)), "inside gzip it is gzip", id="packed twice"
        ),
    ],
)
def test_a_packed_file_that_its_name_does_not_tell_is_refused(
    tmp_path: Path, kind: str, name: str, pack: Any, message: str
) -> None:
    with pytest.raises(UnreadableFileError, match=rf"{name} .*{message}"):
        stage(tmp_path / name, pack((HEAD + "".join(LINES)).encode()), format=kind)


def test_rows_that_do_not_split_are_kept_with_their_place(tmp_path: Path) -> None:
    _, rows = stage(tmp_path / "log.csv", HEAD + "a,1,2026-11-20\n" + LINES[0] + "b,2,2026-11-20,1,extra\n" + LINES[1])
    assert [row["problem"] for row in rows] == ["wrong number of columns", None, "wrong number of columns", None]
    assert json.loads(rows[2]["original"]) == {"line": "b,2,2026-11-20,1,extra"}


def test_fields_in_quotes_hold_separators_and_line_breaks(tmp_path: Path) -> None:
    _, rows = stage(tmp_path / "log.csv", HEAD + '"a,\nb",1,2026-11-20,\n' + LINES[1])
    assert [row["user_id"] for row in rows] == ["a,\nb", "u1"]


def test_quotes_may_be_ordinary_characters(tmp_path: Path) -> None:
    _, rows = stage(
        tmp_path / "log.tsv", 'user_id\titem_id\ttimestamp\n"a\tb"\t2026-11-20\n', separator="\t", quoted=False
    )
    assert (rows[0]["user_id"], rows[0]["item_id"]) == ('"a', 'b"')


def test_extra_columns_are_ignored_and_names_are_mapped(tmp_path: Path) -> None:
    text = "line;who;what;when\nx;a;1;1795348800\n"
    columns = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    _, rows = stage(tmp_path / "log.csv", text, separator=";", columns=columns, time_unit="s")
    assert (rows[0]["user_id"], rows[0]["item_id"], rows[0]["value"]) == ("a", "1", None)
    assert rows[0]["timestamp"] == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_json_lines_give_fields_paths_and_the_lines_that_are_no_json(tmp_path: Path) -> None:
    lines = [
        {"user": {"id": 7}, "item.id": "i1", "ts": 1795348800, "stars": 4.5, "text": 'a,b\n"c"'},
        {"user": {"id": 8}, "item.id": None, "ts": "soon", "stars": "many"},
    ]
    text = "\n".join([*map(json.dumps, lines), '{"user": {', "", json.dumps(lines[0])])
    columns = {"user_id": "$.user.id", "item_id": "item.id", "timestamp": "ts", "value": "stars"}
    _, rows = stage(tmp_path / "log.jsonl", text, format="jsonl", columns=columns, time_unit="s")
    assert [row["user_id"] for row in rows] == ["7", "8", None, "7"]
    assert [row["value"] for row in rows] == [4.5, None, None, 4.5]
    assert [row["problem"] for row in rows] == [None, "timestamp unparseable", "not JSON", None]
    assert json.loads(rows[1]["original"]) == lines[1]
    assert json.loads(rows[2]["original"]) == {"line": '{"user": {'}


def test_parquet_keeps_its_own_types(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    table = pa.table(
        {"user_id": [1, 2], "item_id": pa.array(["a", "b"]).dictionary_encode(), "timestamp": [moment, None]}
    )
    pq.write_table(table, tmp_path / "source.parquet")
    staged, rows = stage(tmp_path / "log.parquet", (tmp_path / "source.parquet").read_bytes(), format="parquet")
    assert [(row["user_id"], row["item_id"], row["timestamp"]) for row in rows] == [
        ("1", "a", moment),
        ("2", "b", None),
    ]
    assert [part.days for part in staged.parts] == [(date(2026, 11, 22),)]


def test_sequences_give_an_order_and_no_times(tmp_path: Path) -> None:
    _, rows = stage(tmp_path / "log.txt", "1 10 11 10\n2  5 \n3\n", format="sequences")
    assert [(row["user_id"], row["item_id"]) for row in rows] == [
        ("1", "10"),
        ("1", "11"),
        ("1", "10"),
        ("2", "5"),
        ("3", None),
    ]
    times = [row["timestamp"] for row in rows[:3]]
    assert times == sorted(set(times))


def _parquet(path: Path) -> bytes:
    pq.write_table(
        pa.table({"user_id": ["a"] * 9999, "item_id": ["b"] * 9999, "timestamp": ["2026-11-20"] * 9999}), path
    )
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "settings", "kind", "message"),
    [
        pytest.param(
            "log.csv",
            HEAD.replace("user_id", "uid").replace("timestamp", "t") + LINES[0],
            {},
            WrongColumnError,
            "log.csv: user_id is read from column 'user_id', which is not there; timestamp is .*has .*'item_id', 't'",
            id="two columns that are not there",
        ),
        pytest.param(
            "log.csv",
            HEAD + LINES[0],
            {"defaults": {"timestamp": "2026-11-20"}},
            WrongColumnError,
            "timestamp is a time, and takes no default: drop it from source.defaults",
            id="a time by default",
        ),
        pytest.param(
            "log.csv",
            HEAD + LINES[0],
            {"defaults": {"value": "abc", "event": " ", "user_id": ""}},
            WrongColumnError,
            "user_id would be '' by default.*event would be ' ' by default, which is nothing: mend source.defaults; "
            "value would be 'abc' by default, wanted a number",
            id="defaults that are none",
        ),
        *(
            pytest.param(
                "log.csv",
                HEAD + LINES[0],
                {"defaults": {"value": value}},
                WrongColumnError,
                "wanted a number",
                id=f"{value} by default",
            )
            for value in ("nan", "inf", "1e99", "")
        ),
        *(
            pytest.param(
                "log.csv",
                HEAD.replace("value", f'"{name}"') + LINES[0],
                {},
                WrongColumnError,
                f"event would be its default in every row, but there is a column '{name}': is {{event: '{name}'}} "
                "meant.*Set source.columns",
                id=f"{name!r} for event",
            )
            for name in ("Event", " event", "EVENT ")
        ),
        pytest.param(
            "log.jsonl",
            '{"user_id": 1, "item_id": 2, "timestamp": "2026-11-20", "Event": "buy"}',
            {"format": "jsonl"},
            WrongColumnError,
            "there is a column 'Event'",
            id="Event for event, JSON",
        ),
        pytest.param(
            "log.csv",
            HEAD + LINES[0],
            {"columns": {"usr": "user_id"}},
            WrongColumnError,
            r"'usr' is no column of the contract, which has \['user_id'",
            id="no column of ours",
        ),
        pytest.param(
            "log.csv",
            HEAD + LINES[0],
            {"columns": {"user_id": "item_id"}},
            WrongColumnError,
            "item_id is read from column 'item_id', which is another column by source.columns",
            id="a column that is another",
        ),
        pytest.param(
            "log.csv",
            HEAD + LINES[0],
            {"columns": {"user_id": "value", "item_id": "value"}},
            WrongColumnError,
            "column 'value' is to become 2 columns",
            id="one column twice",
        ),
        pytest.param(
            "log.jsonl",
            '{"uid": 1, "item_id": 2, "timestamp": "2026-11-20"}\n',
            {"format": "jsonl"},
            WrongColumnError,
            r"log.jsonl: user_id is read from 'user_id', and nothing is there in any row, e.g. \{\"uid\"",
            id="no such field",
        ),
        pytest.param(
            "log.csv.gz",
            gzip.compress((HEAD + "".join(LINES * 99)).encode())[:-99],
            {},
            UnreadableFileError,
            "log.csv.gz .* as csv: Truncated",
            id="truncated gzip",
        ),
        pytest.param("log.csv.gz", HEAD + LINES[0], {}, UnreadableFileError, "incorrect header", id="no gzip at all"),
        pytest.param("log.csv", b"", {}, UnreadableFileError, r"log.csv \(0 bytes\)", id="empty"),
        pytest.param(
            "log.csv",
            b"user_id,item_id,timestamp,\xff\n",
            {},
            UnreadableFileError,
            "names .* not UTF-8",
            id="Latin-1 head",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_says_what_is_wrong_with_it(
    tmp_path: Path, name: str, content: bytes | str, settings: dict[str, Any], kind: type[IngestError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        stage(tmp_path / name, content, **settings)


@pytest.mark.parametrize("cut", [slice(0, 300), slice(300, None)])
def test_a_truncated_parquet_file_is_named(tmp_path: Path, cut: slice) -> None:
    with pytest.raises(UnreadableFileError, match="log"):
        stage(tmp_path / "log.parquet", _parquet(tmp_path / "whole.parquet")[cut], format="parquet")


def test_a_lost_connection_is_no_fault_of_the_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    remote = SourceFile(uri=f"http://127.0.0.1:{port}/log.csv", size=1, transaction="file:1")
    with pytest.raises(OSError, match=r"log\.csv"):
        stage_file(remote, at(tmp_path / "staged"), source_of(), EVENTS)


def test_a_column_that_is_another_by_the_settings_is_not_taken_for_one_with_a_default(tmp_path: Path) -> None:
    text = HEAD.replace("item_id", "Event") + LINES[0]
    _, (row,) = stage(tmp_path / "log.csv", text, columns={"item_id": "Event"})
    assert (row["item_id"], row["event"]) == ("i0", "view")


def test_rows_of_a_big_file_are_numbered_across_blocks(tmp_path: Path) -> None:
    count = 2 * BLOCK_BYTES // 100
    bad = range(7, count, 50_000)
    lines = [f"u{n},{'x' * 90},2026-11-20,1\n" for n in range(count)]
    for n in bad:
        lines[n] = "a,1\n"
    (tmp_path / "log.csv").write_text(HEAD + "".join(lines))
    (source,) = list_files(str(tmp_path / "log.csv"))
    target = at(tmp_path / "staged")
    rows = frame_at(target, stage_file(source, target, source_of(), EVENTS))
    assert rows is not None
    assert rows["source_row"].equals(pl.Series("source_row", range(count)))
    broken = rows["problem"].is_not_null()
    assert rows.filter(broken)["source_row"].to_list() == list(bad)
    assert (rows["user_id"] == "u" + rows["source_row"].cast(pl.String)).filter(~broken).all()
