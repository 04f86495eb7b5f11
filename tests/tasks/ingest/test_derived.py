from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.errors import WrongColumnError
from tests.tasks.ingest.source import stage

DAY, NOON = "2026-11-20", datetime(2026, 11, 20, 12, tzinfo=UTC)
HEAD = "user_id,item_id,timestamp,rating,kind\n"
WHERE = "kind != 'bot' AND TRY_CAST(rating AS DOUBLE) >= 4"


def _csv(*rows: tuple[object, ...]) -> str:
    return HEAD + "".join(",".join(map(str, (f"u{row}", "i", DAY, *cells))) + "\n" for row, cells in enumerate(rows))


def _users(rows: list[dict[str, Any]]) -> list[str]:
    return [row["user_id"] for row in rows]


def _parquet(path: Path, **columns: Any) -> bytes:
    rows = len(next(iter(columns.values())))
    own = {"user_id": [f"u{row}" for row in range(rows)], "item_id": ["i"] * rows, "timestamp": [NOON] * rows}
    pq.write_table(pa.table({**own, **columns}), path)
    return path.read_bytes()


def test_rows_for_which_where_is_false_are_left_out_and_those_of_which_it_cannot_tell_stay(tmp_path: Path) -> None:
    text = _csv((5, "view"), (3, "view"), ("", "view"), (5, "bot"), ("many", "view"), (4, ""), (3, ""))
    staged, rows = stage(tmp_path / "log.csv", text, where=WHERE)
    assert _users(rows) == ["u0", "u2", "u4", "u5"]
    assert (staged.rows, staged.left_out) == (4, 3)
    assert [row["source_row"] for row in rows] == [0, 2, 4, 5], "rows keep their numbers"


def test_a_row_that_is_broken_is_never_left_out(tmp_path: Path) -> None:
    broken = b"u8,i,2026-11-20,1\n" + b"u\xff,i,2026-11-20,1,bot\n"
    staged, rows = stage(tmp_path / "log.csv", _csv((1, "bot")).encode() + broken, where="kind IS NOT NULL AND 1 > 2")
    assert [row["problem"] for row in rows] == ["wrong number of columns", "user_id is not UTF-8"]
    assert (staged.rows, staged.left_out) == (2, 1)


def test_a_file_of_which_nothing_is_taken_has_no_rows(tmp_path: Path) -> None:
    staged, rows = stage(tmp_path / "log.csv", _csv((1, "bot"), (2, "bot")), where="kind != 'bot'")
    assert (staged.rows, staged.left_out, rows) == (0, 2, [])


def test_columns_are_computed_and_what_cannot_be_computed_is_missing(tmp_path: Path) -> None:
    compute = {
        "user_id": "user_id || '_' || kind",
        "event": "CASE WHEN TRY_CAST(rating AS DOUBLE) >= 4 THEN 'like' WHEN rating IS NOT NULL THEN 'rate' END",
        "value": "TRY_CAST(rating AS DOUBLE) * 2",
        "timestamp": "CONCAT(timestamp, 'T12:00:00Z')",
    }
    _, rows = stage(tmp_path / "log.csv", _csv((5, "a"), ("many", "b"), ("", ""), (1, "c")), compute=compute)
    assert _users(rows) == ["u0_a", "u1_b", None, "u3_c"], "|| is null where a part is"
    assert [row["event"] for row in rows] == ["like", "rate", None, "rate"], "and takes no default"
    assert [row["value"] for row in rows] == [10, None, None, 2]
    assert {row["timestamp"] for row in rows} == {NOON}


def test_an_expression_that_gives_another_type_is_refused_or_its_row_is_broken(tmp_path: Path) -> None:
    with pytest.raises(WrongColumnError, match=r"column 'event' is Boolean, wanted String"):
        stage(tmp_path / "log.csv", _csv((5, "a")), compute={"event": "rating > '4'"})
    _, (row,) = stage(tmp_path / "log.csv", _csv(("many", "a")), compute={"value": "rating"})
    assert row["problem"] == "value unparseable"
    came = {"user_id": "u0", "item_id": "i", "timestamp": DAY, "rating": "many"}
    assert json.loads(row["original"]) == came, "the row as it came, not as it was computed"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"where": "stars > '3'"},
            r"log.csv: source.where \"stars > '3'\" reads column 'stars', which is not there; the file has .*'kind'",
            id="no such column",
        ),
        pytest.param({"where": "Kind = 'a'"}, "reads column 'Kind', which is not there", id="capitals"),
        pytest.param({"compute": {"value": "stars"}}, "source.compute.value 'stars' reads column", id="to compute"),
        pytest.param(
            {"where": "rating >= 4"},
            r"source.where 'rating >= 4' cannot be worked out: cannot compare string.*'rating' is String.*TRY_CAST",
            id="text and number",
        ),
        pytest.param({"where": "CAST(kind AS INT) > 0"}, r"conversion from .str. to .i32. failed", id="no number"),
        pytest.param({"where": "kind ~ '('"}, r"regex parse error", id="no pattern"),
        pytest.param({"where": "TRY_CAST(rating AS DECIMAL(40, 2)) > 1"}, "cannot be worked out", id="too many digits"),
        pytest.param({"where": "kind"}, r"source.where 'kind' is String, wanted true or false", id="no condition"),
        pytest.param({"compute": {"stars": "rating"}}, "'stars' is no column of the contract", id="no such target"),
        pytest.param({"values": {"stars": {"a": "b"}}}, "'stars' is no column of the contract", id="no such text"),
        pytest.param({"values": {"value": {"1": "2"}}}, "value, which is float; wanted a column of text", id="number"),
        pytest.param(
            {"columns": {"user_id": ["kind", "rating"]}}, "user_id is string, which several columns", id="no list"
        ),
        pytest.param(
            {"arrival": "file", "columns": {"timestamp": "timestamp"}}, "source.arrival says when", id="time said twice"
        ),
        pytest.param({"arrival": "file", "compute": {"timestamp": "kind"}}, "drop one", id="time computed, too"),
    ],
)
def test_what_an_expression_cannot_be_worked_out_from_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(WrongColumnError, match=message):
        stage(tmp_path / "log.csv", _csv((5, "a")), **settings)


def test_values_are_renamed_once_they_are_text_and_others_stay(tmp_path: Path) -> None:
    values = {"event": {0: "view", "1": "click", "none": "skip"}}
    content = _parquet(tmp_path / "log.parquet", event=pa.array([0, 1, 7, None], pa.float64()))
    _, rows = stage(tmp_path / "log.parquet", content, format="parquet", values=values)
    assert [row["event"] for row in rows] == ["view", "click", "7", "view"], "the last by default"
    text = "user_id,item_id,timestamp,event\nu,i,2026-11-20,0\nu,i,2026-11-20,view\n"
    _, rows = stage(tmp_path / "log.csv", text, values=values)
    assert [row["event"] for row in rows] == ["view", "view"]


def test_parquet_has_its_types_in_expressions(tmp_path: Path) -> None:
    content = _parquet(
        tmp_path / "log.parquet",
        kind=pa.array(["view", "bot", "view"]).dictionary_encode(),
        price=pa.array([Decimal("1.50"), Decimal("9.00"), None]),
        at=pa.array([NOON, NOON, NOON], pa.timestamp("ms", "Europe/Berlin")),
        on=pa.array([date(2026, 11, 20)] * 3),
        flag=pa.array([True, None, False]),
        deep=pa.array([{"n": 1}, {"n": 2}, {"n": 3}]),
        daytime=pa.array([time(12)] * 3),
        lasted=pa.array([1, 2, 3], pa.duration("s")),
    )
    where = (
        "kind = 'view' AND (price IS NULL OR price > 1) AND \"at\" > TIMESTAMP '2026-01-01' "
        "AND on < DATE '2027-01-01' AND deep.n < 4 AND lasted IS NOT NULL AND daytime IS NOT NULL"
    ).replace(" on ", ' "on" ')
    staged, rows = stage(
        tmp_path / "log.parquet", content, format="parquet", where=where, compute={"value": "CASE WHEN flag THEN 1 END"}
    )
    assert _users(rows) == ["u0", "u2"]
    assert [row["value"] for row in rows] == [1, None]
    assert staged.left_out == 1


def test_columns_of_folders_and_names_of_any_kind_stand_in_expressions(tmp_path: Path) -> None:
    folder = tmp_path / "kind=bo%20t"
    folder.mkdir()
    text = '"user id","it\'s","a""b",timestamp\nu,1,x,2026-11-20\nv,2,y,2026-11-20\n'
    staged, rows = stage(
        folder / "log.csv",
        text,
        where="kind = 'bo t' AND \"it's\" != '2'",
        compute={"user_id": '"user id" || "a""b"', "event": "kind"},
        columns={"item_id": "it's"},
    )
    assert [(row["user_id"], row["item_id"], row["event"]) for row in rows] == [("ux", "1", "bo t")]
    assert staged.columns["kind"] == "path"


def test_json_lines_give_expressions_text_whatever_stands_there(tmp_path: Path) -> None:
    lines = [
        {"user": {"id": 7}, "clicked": True, "tags": ["a"], "n": 4.0},
        {"user": {"id": 8}, "clicked": False, "tags": {}, "n": 5},
        {"user": {"id": 9}, "clicked": None, "n": "6"},
        {"user": {"id": 9}, "clicked": "true", "tags": None, "n": 4.5},
    ]
    text = "".join(json.dumps({"item_id": "i", "timestamp": DAY, **line}) + "\n" for line in lines) + "no json\n"
    staged, rows = stage(
        tmp_path / "log.jsonl",
        text,
        format="jsonl",
        where="clicked = 'true'",
        compute={"user_id": "\"$.user.id\" || '/' || n", "event": "COALESCE(tags, 'none')"},
    )
    assert [(row["user_id"], row["event"]) for row in rows] == [
        ("7/4", '["a"]'),
        ("9/6", "none"),
        ("9/4.5", "none"),
        (None, "none"),
    ]
    assert rows[-1]["problem"] == "not JSON"
    assert (staged.rows, staged.left_out) == (4, 1)
    assert staged.columns["n"] == "text", "how parts of an id are written is remembered"


def test_a_file_of_json_lines_in_which_no_row_has_a_column_of_an_expression_is_refused(tmp_path: Path) -> None:
    line = json.dumps({"user_id": "u", "item_id": "i", "timestamp": DAY, "bot": None}) + "\n"
    assert stage(tmp_path / "log.jsonl", line, format="jsonl", where="bot IS NULL")[0].rows == 1
    with pytest.raises(WrongColumnError, match=r"stars is read from 'stars', and nothing is there in any row"):
        stage(tmp_path / "log.jsonl", line, format="jsonl", where="stars IS NULL")


def test_a_column_is_read_once_however_many_read_it(tmp_path: Path) -> None:
    for kind in ("csv", "parquet", "jsonl"):
        content: bytes | str = _csv((4, "a"), (5, "b"))
        if kind == "parquet":
            content = _parquet(tmp_path / "own.parquet", rating=["4", "5"], kind=["a", "b"])
        if kind == "jsonl":
            row = {"user_id": "u1", "item_id": "i", "timestamp": DAY, "rating": 5, "kind": "b"}
            content = json.dumps(row) + "\n"
        _, rows = stage(
            tmp_path / f"log.{kind}",
            content,
            format=kind,
            columns={"value": "rating", "event": "kind"},
            where="rating != '4' AND user_id = 'u1'",
            compute={"item_id": "item_id || kind || rating"},
        )
        assert [(row["item_id"], row["value"], row["event"]) for row in rows] == [("ib5", 5, "b")]


def test_a_row_swallowed_by_a_quote_is_judged_by_what_is_computed(tmp_path: Path) -> None:
    lines = [f"u{row},i,{DAY},1" for row in range(3)]
    text = f'user,item_id,when,title\n"open,i,{DAY},1\n' + "\n".join(lines) + f'\nlast,i,{DAY},"b"\n'
    compute = {"user_id": "CONCAT('x', \"user\")", "timestamp": '"when"'}
    _, rows = stage(tmp_path / "log.csv", text, compute=compute, where="title IS NULL OR title != 'none'")
    assert len(rows) == 5, "no line is lost"


CELL = st.sampled_from(["", "1", "4", "5", "many", "bot", "view", '"a\nb"', '"', "ü"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=12))
def test_every_row_is_taken_or_left_out(tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("log") / "log.csv"
    text = HEAD + "".join(f"u,i,{DAY},{','.join(row)}\n" for row in cells)
    compute = {"value": "TRY_CAST(rating AS DOUBLE)"}
    everything, whole = stage(path, text, where="kind IS NULL OR kind IS NOT NULL", compute=compute)
    taken, rows = stage(path, text, where=WHERE, compute=compute)
    assert everything.left_out == 0
    assert taken.rows + taken.left_out == everything.rows
    kept = {row["source_row"]: row["problem"] for row in rows}
    assert kept.items() <= {row["source_row"]: row["problem"] for row in whole}.items()
    assert all(row["source_row"] in kept for row in whole if row["problem"])
