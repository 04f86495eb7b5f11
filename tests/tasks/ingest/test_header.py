from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tests.tasks.ingest.source import stage

NAMES = ["user_id", "item_id", "value", "timestamp"]
LINES = "u0,i,10,1289241912\nu1,i,-4,1289241942\n"


def _stage(path: Path, content: str | bytes, **settings: Any) -> list[tuple[Any, ...]]:
    _, rows = stage(path, content, **{"header": NAMES, "time_unit": "s", **settings})
    return [(row["user_id"], row["value"], row["source_row"], row["problem"]) for row in rows]


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        pytest.param(LINES, {}, id="lines"),
        pytest.param("\r\n\n" + LINES.replace("\n", "\r\n"), {}, id="after empty lines"),
        pytest.param("\ufeff" + LINES, {}, id="after a byte order mark"),
        pytest.param(LINES.rstrip("\n"), {}, id="without an end"),
        pytest.param(LINES.replace(",", "\t"), {"separator": "\t", "quoted": False}, id="between tabs"),
    ],
)
def test_the_first_line_is_a_row_where_the_settings_name_the_columns(
    tmp_path: Path, content: str, settings: dict[str, Any]
) -> None:
    assert _stage(tmp_path / "log.csv", content, **settings) == [("u0", 10, 0, None), ("u1", -4, 1, None)]


def test_names_may_be_the_sources_own_and_a_first_row_may_have_several_lines(tmp_path: Path) -> None:
    text = '"a\nb",i,10,1289241912\nu1,i,-4,1289241942\n'
    settings: dict[str, Any] = {
        "header": [0, 1, 2, 3],
        "columns": {"user_id": "0", "item_id": "1", "timestamp": "3"},
        "compute": {"value": 'TRY_CAST("2" AS DOUBLE) / 10'},
    }
    assert _stage(tmp_path / "log.csv", text, **settings) == [
        ("a\nb", 1, 0, None),
        ("u1", pytest.approx(-0.4), 1, None),
    ]


def test_a_file_of_one_row_or_none_is_a_file(tmp_path: Path) -> None:
    assert _stage(tmp_path / "log.csv", "u0,i,10,1289241912") == [("u0", 10, 0, None)]
    assert _stage(tmp_path / "log.csv", "") == []
    assert _stage(tmp_path / "log.csv", "\n\n") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            "u0,i,10\n" + LINES, r"log.csv: its first line has 3 fields, 'u0,i,10', and source.header names 4", id="few"
        ),
        pytest.param("u0,i,10,1,x\n", "its first line has 5 fields", id="many"),
        pytest.param(LINES.replace(",", ";"), "its first line has 1 fields.*see source.separator", id="separator"),
        pytest.param(",".join(NAMES) + "\n" + LINES, "its first line is source.header", id="it has a header"),
        pytest.param('"user_id","item_id","value","timestamp"\n', "its first line is source.header", id="in quotes"),
    ],
)
def test_a_first_line_that_is_not_as_the_settings_say_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(WrongColumnError, match=message):
        _stage(tmp_path / "log.csv", content)


def test_a_first_row_that_is_broken_goes_the_way_of_any_other(tmp_path: Path) -> None:
    text = b'"u"x,i,10,1289241912\n\xff,i,10,1289241912\n' + LINES.encode()
    problems = [problem for _, _, _, problem in _stage(tmp_path / "log.csv", text)]
    assert problems[0].startswith("inside a quote")
    assert problems[1:] == ["user_id is not UTF-8", None, None]
    with pytest.raises(UnreadableFileError, match="the line that names the columns is not UTF-8"):
        stage(tmp_path / "log.csv", b"user_id,item_id,timestamp,\xff\n")
