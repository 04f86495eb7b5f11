from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.night import Workspace
from data_contracts.table import Table
from data_contracts.use_cases import incoming_tables
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.sources import list_files
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night
from tests.tasks.ingest.source import Staged, at, rows_at, stage_file
from tests.vectors.contracts.promises import VECTORS

NUMBERS = ["limit", "sex", "age"]
HEAD = "row_id,seen_at,age,limit,sex,label\n"


def _stage(path: Path, content: str | bytes, **settings: Any) -> tuple[Staged, list[dict[str, Any]]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (file,) = list_files(str(path))
    target = at(path.with_name("staged"))
    source = SourceConfig(uri=str(path), **{"columns": {"numbers": NUMBERS}, **settings})
    staged = stage_file(file, target, source, VECTORS)
    return staged, rows_at(target, staged)


def test_several_columns_become_one_list_in_their_order_and_an_empty_one_is_null_in_it(tmp_path: Path) -> None:
    text = HEAD + "a,2026-11-20,33,2e4,1,0\nb,2026-11-20,,1, 2 ,1\nc,2026-11-20,,,,\n"
    _, rows = _stage(tmp_path / "log.csv", text)
    assert [row["numbers"] for row in rows] == [[20_000, 1, 33], [1, 2, None], [None, None, None]]
    assert [row["problem"] for row in rows] == [None, None, None]


def test_a_number_that_is_given_and_unreadable_makes_its_row_broken_and_is_named(tmp_path: Path) -> None:
    text = HEAD + "a,2026-11-20,33,many,1,0\nb,2026-11-20,x,y,1,0\nc,2026-11-20,1,1,1,0\n"
    _, rows = _stage(tmp_path / "log.csv", text)
    assert [row["problem"] for row in rows] == [
        "numbers unparseable: column 'limit'",
        "numbers unparseable: column 'limit'",
        None,
    ]
    assert json.loads(rows[0]["original"]) == {
        "row_id": "a",
        "label": "0",
        "seen_at": "2026-11-20",
        "limit": "many",
        "sex": "1",
        "age": "33",
    }


def test_json_and_parquet_give_numbers_too_and_a_column_may_stand_in_a_list_and_beside_it(tmp_path: Path) -> None:
    line = {"row_id": "a", "seen_at": "2026-11-20", "limit": 1.5, "deep": {"sex": "2"}, "age": None}
    columns = {"numbers": ["limit", "$.deep.sex", "age"], "label": "limit"}
    _, rows = _stage(tmp_path / "log.jsonl", json.dumps(line) + "\n", format="jsonl", columns=columns)
    assert (rows[0]["numbers"], rows[0]["label"]) == ([1.5, 2, None], 1.5)
    typed = {"limit": [Decimal("1.5")], "sex": [True], "age": pa.array([3], pa.uint8())}
    pq.write_table(pa.table({"row_id": ["a"], "seen_at": ["2026-11-20"], **typed}), tmp_path / "own")
    _, rows = _stage(tmp_path / "log.parquet", (tmp_path / "own").read_bytes(), format="parquet")
    assert rows[0]["numbers"] == [1.5, 1, 3]


def test_a_column_of_lists_is_a_list(tmp_path: Path) -> None:
    lists = pa.array([[1.0, None, 3.0], None, []], pa.list_(pa.float64()))
    pq.write_table(pa.table({"row_id": list("abc"), "seen_at": ["2026-11-20"] * 3, "vector": lists}), tmp_path / "own")
    content = (tmp_path / "own").read_bytes()
    _, rows = _stage(tmp_path / "log.parquet", content, format="parquet", columns={"numbers": "vector"})
    assert [row["numbers"] for row in rows] == [[1, None, 3], None, []]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({}, r"source.columns.numbers reads column 'sex', which is not there", id="a part is missing"),
        pytest.param({"columns": {"numbers": "age"}}, r"wanted List.*Name its columns, in their order", id="one text"),
        pytest.param({"columns": {}}, r"numbers is read from column 'numbers', which is not there", id="none"),
        pytest.param(
            {"columns": {"numbers": ["age"], "label": ["age"]}}, "label is float, which several columns", id="no list"
        ),
        pytest.param({"columns": {"numbers": ["age"]}, "defaults": {"numbers": "0"}}, "both in columns", id="default"),
    ],
)
def test_what_cannot_become_a_list_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises((WrongColumnError, ValueError), match=message):
        _stage(tmp_path / "log.csv", "row_id,seen_at,age,limit\na,2026-11-20,3,4\n", **settings)


def test_lists_go_through_a_night_and_their_repeats_are_known(tmp_path: Path, cluster: str) -> None:
    workspace = Workspace(name="v", use_case="tests.vectors", home=str(tmp_path / "home"), tracking_uri="sqlite://")
    logs = tmp_path / "logs"
    logs.mkdir()
    source = SourceConfig(uri=str(logs), columns={"numbers": NUMBERS})

    def night() -> tuple[int, ...]:
        staged = stage_night(workspace, source, cluster)
        done = validate_night(workspace, staged, None, ValidationConfig(max_quarantined=0.2), cluster)
        return done.rows_read, done.accepted, done.quarantined, done.repeats

    good = [f"r{row},2026-11-2{row % 2},{row},1,,0\n" for row in range(20)]
    bad = ["x,2026-11-20,1,many,1,0\n", "y,2026-11-20,,,,0\n"]
    (logs / "a.csv").write_text(HEAD + "".join([*good, good[0], *bad]))
    assert night() == (23, 20, 2, 1)
    (logs / "b.csv").write_text(HEAD + "".join([*good[:5], good[5].replace(",5,", ",6,"), *bad]))
    assert night() == (8, 1, 0, 7), "as equal as lists are"
    truth, quarantine, _ = incoming_tables(workspace)
    assert sorted(row["numbers"][2] for row in truth.read().to_pylist()) == sorted([*range(20), 6])
    kept = {row["rule"]: json.loads(row["row"]) for row in quarantine.read().to_pylist()}
    assert kept["all numbers missing"]["numbers"] == [None, None, None]
    assert kept["numbers unparseable: column 'limit'"]["limit"] == "many"
    assert Table(workspace.tables, VECTORS).read().schema.field("numbers").type == pa.list_(pa.float32())
