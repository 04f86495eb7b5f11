from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from data_contracts.recommender.events import EVENTS
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.sources import list_files
from tests.tasks.ingest.source import Staged, at, rows_at, source_of, stage_file

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HEAD = "user_id,item_id,timestamp\n"


def _staged(uri: Path, **settings: Any) -> tuple[list[Staged], list[dict[str, Any]]]:
    """Stage every file of a source: what it is, and its rows."""
    staged, rows = [], list[dict[str, Any]]()
    source = source_of(uri=str(uri), **settings)
    for number, file in enumerate(list_files(source.uri)):
        target = at(uri.with_name(f"staged-{number}"))
        staged.append(stage_file(file, target, source, EVENTS))
        rows += rows_at(target, staged[-1])
    return staged, rows


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_columns_that_were_written_into_the_path_come_back(tmp_path: Path) -> None:
    events = ["view", "add/to cart", "a=b", "ü", None, "view"]
    table = pa.table(
        {"user_id": ["u"] * 6, "item_id": list("abcdef"), "timestamp": [NOON] * 6, "event": events, "day": [20] * 6}
    )
    partitioning = ds.partitioning(pa.schema([("day", pa.int64()), ("event", pa.string())]), flavor="hive")
    ds.write_dataset(table, tmp_path / "logs", format="parquet", partitioning=partitioning)
    staged, rows = _staged(tmp_path / "logs", format="parquet", columns={"event": "event"})
    assert {row["item_id"]: row["event"] for row in rows} == dict(zip("abcdef", events, strict=True))
    assert staged[0].columns["event"] == staged[0].columns["day"] == "path"


@pytest.mark.parametrize(
    ("columns", "events"),
    [
        pytest.param({}, {"view": 2, "buy": 1}, id="null takes the default"),
        pytest.param({"event": "event"}, {None: 1, "view": 1, "buy": 1}, id="unless it is named"),
    ],
)
def test_a_default_never_stands_in_for_what_the_path_says(
    tmp_path: Path, columns: dict[str, str], events: dict[str | None, int]
) -> None:
    for value in ("view", "buy", "__HIVE_DEFAULT_PARTITION__"):
        _write(tmp_path / f"logs/event={value}/0.csv", HEAD + "u,i,2026-11-20\n")
    assert Counter(row["event"] for row in _staged(tmp_path / "logs", columns=columns)[1]) == events
    one = _staged(tmp_path / "logs/event=buy")[1]
    assert [row["event"] for row in one] == ["buy"], "source.uri may point into a folder"


@pytest.mark.parametrize(
    ("name", "text", "event"),
    [
        pytest.param("0.csv", "user_id,item_id,timestamp,event\nu,i,2026-11-20,\n", None, id="an empty cell"),
        pytest.param("0.csv", "user_id,item_id,timestamp,event\nu,i,2026-11-20, \n", None, id="a blank cell"),
        pytest.param("0.parquet", {"event": pa.array([None], pa.string())}, None, id="a null"),
        pytest.param(
            "0.jsonl", '{"user_id": "u", "item_id": "i", "timestamp": "2026-11-20", "event": ""}', None, id="no text"
        ),
        pytest.param(
            "0.jsonl", '{"user_id": "u", "item_id": "i", "timestamp": "2026-11-20"}', "buy", id="nothing, of JSON"
        ),
    ],
)
def test_no_default_covers_what_the_path_says_of_a_row_that_says_nothing(
    tmp_path: Path, name: str, text: str | dict[str, Any], event: str | None
) -> None:
    file = _write(tmp_path / "logs/event=buy" / name, text if isinstance(text, str) else "")
    if not isinstance(text, str):
        pq.write_table(pa.table({"user_id": ["u"], "item_id": ["i"], "timestamp": [NOON]} | text), file)
    (row,) = _staged(tmp_path / "logs", format=file.suffix[1:])[1]
    assert row["event"] == event


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_bytes_of_the_path_that_are_no_utf8_break_its_rows_and_stay_readable(tmp_path: Path, kind: str) -> None:
    row = {"user_id": "u", "item_id": "i", "timestamp": "2026-11-20"}
    for byte in ("%E8", "%E9", "%C3%A9"):
        file = _write(tmp_path / f"logs/event=caf{byte}/0.{kind}", HEAD + "u,i,2026-11-20\n")
        if kind == "jsonl":
            file.write_text(json.dumps(row))
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist([row]), file)
    rows = _staged(tmp_path / "logs", format=kind)[1]
    assert sorted((str(row["event"]), row["problem"]) for row in rows) == [
        ("None", "event is not UTF-8"),
        ("None", "event is not UTF-8"),
        ("café", None),
    ]
    assert sorted(json.loads(row["original"])["event"] for row in rows if row["problem"]) == [r"caf\xe8", r"caf\xe9"]


def test_a_column_of_any_kind_may_stand_in_the_path_under_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "logs/at=2026-11-20 12%3A00%3A00/score=1.5/shop=007"
    _write(folder / "0.csv", "user_id\nu\n")
    columns = {"timestamp": "at", "value": "score", "item_id": "shop"}
    (row,) = _staged(tmp_path / "logs", columns=columns)[1]
    assert (row["timestamp"], row["value"], row["item_id"]) == (NOON, 1.5, "007")


def test_a_path_that_cannot_be_read_is_the_problem_of_its_rows(tmp_path: Path) -> None:
    _write(tmp_path / "logs/timestamp=soon/0.csv", "user_id,item_id\nu,i\n")
    (staged,), (row,) = _staged(tmp_path / "logs")
    assert row["problem"] == "timestamp unparseable"
    assert json.loads(row["original"]) == {"user_id": "u", "item_id": "i", "timestamp": "soon"}
    assert staged.unread_time.startswith("'soon', wanted ISO 8601")


def test_the_files_own_column_comes_before_its_folders(tmp_path: Path) -> None:
    _write(tmp_path / "logs/timestamp=2026-11-20/0.csv", HEAD + "u,i,2026-11-20 12:00\n")
    (staged,), (row,) = _staged(tmp_path / "logs")
    assert row["timestamp"] == NOON
    assert staged.columns["timestamp"] == "string"


def test_a_row_of_json_takes_from_the_path_what_it_does_not_have(tmp_path: Path) -> None:
    row = {"user_id": "u", "timestamp": "2026-11-20"}
    rows = (row | own for own in ({"item_id": "a"}, {"item_id": "b", "event": "buy"}, {"item_id": "c", "event": None}))
    text = "".join(json.dumps(each) + "\n" for each in rows)
    _write(tmp_path / "logs/event=view%20all/0.jsonl", text)
    (staged,), taken = _staged(tmp_path / "logs", format="jsonl", columns={"event": "event"})
    assert {row["item_id"]: row["event"] for row in taken} == {"a": "view all", "b": "buy", "c": "view all"}
    assert staged.columns["event"] == "path"


def test_a_column_may_stand_in_the_path_of_some_files_only(tmp_path: Path) -> None:
    _write(tmp_path / "logs/event=buy/0.csv", HEAD + "u,1,2026-11-20\n")
    _write(tmp_path / "logs/rest/0.csv", "user_id,item_id,timestamp,event\nu,2,2026-11-20,view\n")
    assert {row["item_id"]: row["event"] for row in _staged(tmp_path / "logs")[1]} == {"1": "buy", "2": "view"}


def test_sequences_take_the_kind_of_event_from_the_path(tmp_path: Path) -> None:
    _write(tmp_path / "logs/event=buy/0.txt", "u 1 2\n")
    assert [row["event"] for row in _staged(tmp_path / "logs", format="sequences")[1]] == ["buy", "buy"]


def test_a_column_that_is_nowhere_is_named_with_those_of_the_path(tmp_path: Path) -> None:
    _write(tmp_path / "logs/kind=buy/0.csv", HEAD + "u,1,2026-11-20\n")
    with pytest.raises(WrongColumnError, match=r"kind=buy/0.csv: event is read from column 'Kind'.*has .*'kind'"):
        _staged(tmp_path / "logs", columns={"event": "Kind"})


@pytest.mark.parametrize("kind", ["csv", "jsonl", "sequences"])
def test_a_folder_that_almost_has_the_name_of_a_column_with_a_default_is_refused(tmp_path: Path, kind: str) -> None:
    texts = {
        "csv": HEAD + "u,i,2026-11-20\n",
        "jsonl": '{"user_id": "u", "item_id": "i", "timestamp": "2026-11-20"}',
        "sequences": "u i\n",
    }
    _write(tmp_path / f"logs/Event=buy/0.{kind}", texts[kind])
    with pytest.raises(WrongColumnError, match=r"there is a column 'Event': is \{event: 'Event'\} meant"):
        _staged(tmp_path / "logs", format=kind)


def test_rows_that_say_nothing_beside_their_path_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "logs/user_id=u/item_id=i/timestamp=2026-11-20/0.csv", "x\n1\n2\n")
    with pytest.raises(WrongColumnError, match=r"0.csv: all that is read stands in the path, \['user_id', 'item_id', "):
        _staged(tmp_path / "logs")
