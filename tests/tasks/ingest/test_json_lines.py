from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.errors import WrongColumnError
from tests.tasks.ingest.source import stage

OTHER = '"item_id": "i", "timestamp": "2026-11-20"'
GOOD = '{"user_id": "good", ' + OTHER + "}\n"
UNPARSEABLE = "user_id unparseable"


@pytest.mark.parametrize(
    ("user", "wanted", "problem"),
    [
        pytest.param("7.0", "7", None, id="a whole number that came as a fraction"),
        pytest.param("1e2", "100", None, id="with an exponent"),
        pytest.param("-0", "0", None, id="minus nothing"),
        pytest.param("-0.0", "0", None, id="minus nothing, as a fraction"),
        pytest.param("7.5", "7.5", None, id="a fraction"),
        pytest.param('"7.0"', "7.0", None, id="a text stays as it came"),
        pytest.param('"1e+20"', "1e+20", None, id="a text that looks like a number"),
        pytest.param('"true"', "true", None, id="a text that looks like a truth"),
        pytest.param("9007199254740993", "9007199254740993", None, id="more than a float holds"),
        pytest.param("18446744073709551615", "18446744073709551615", None, id="64 bits"),
        pytest.param("-9223372036854775808", "-9223372036854775808", None, id="64 bits with a sign"),
        pytest.param("18446744073709551616", None, UNPARSEABLE, id="more than 64 bits"),
        pytest.param("9007199254740992.0", None, UNPARSEABLE, id="a float that others share"),
        pytest.param("true", None, UNPARSEABLE, id="true"),
        pytest.param('["a"]', None, UNPARSEABLE, id="a list"),
        pytest.param("[]", None, UNPARSEABLE, id="an empty list"),
        pytest.param('{"id": 5}', None, UNPARSEABLE, id="an object"),
        pytest.param("null", None, None, id="nothing"),
        pytest.param("NaN", None, "user_id is NaN", id="NaN"),
        pytest.param("-Infinity", None, "user_id is Infinity", id="Infinity"),
        pytest.param('"\\ud800"', None, "user_id is not UTF-8", id="half a surrogate"),
        pytest.param('"a", "user_id": "b"', "b", None, id="a member twice: the last one"),
        pytest.param('"u", "x": NaN', "u", None, id="NaN where nobody reads"),
        pytest.param('"u", "x": "\\ud800"', "u", None, id="half a surrogate where nobody reads"),
        pytest.param('18446744073709551616, "x": NaN', None, UNPARSEABLE, id="the same number beside NaN"),
        pytest.param(f'"u", "x": {"1" * 5_000}', "u", None, id="thousands of digits where nobody reads"),
        pytest.param(f'{"1" * 5_000}, "x": NaN', None, UNPARSEABLE, id="thousands of digits"),
        pytest.param(f'"u", "x": {"[" * 5_000}{"]" * 5_000}', None, "not JSON", id="deep"),
        pytest.param('"u" "x"', None, "not JSON", id="no JSON"),
    ],
)
def test_a_value_is_read_by_its_type_exactly_or_not_at_all(
    tmp_path: Path, user: str, wanted: str | None, problem: str | None
) -> None:
    line = '{"user_id": ' + user + f", {OTHER}}}"
    _, rows = stage(tmp_path / "log.jsonl", GOOD + line + "\n" + GOOD, format="jsonl")
    assert [row["user_id"] for row in rows] == ["good", wanted, "good"]
    assert [row["problem"] for row in rows] == [None, problem, None]
    if problem:
        original = json.loads(rows[1]["original"], parse_constant=pytest.fail)
        assert original == (json.loads(line) if problem == UNPARSEABLE and "NaN" not in user else {"line": line})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("5", "not a JSON object", id="a number"),
        pytest.param("null", "not a JSON object", id="nothing"),
        pytest.param('["user_id"]', "not a JSON object", id="a list"),
        pytest.param("NaN", "not JSON", id="NaN"),
    ],
)
def test_a_line_is_an_object(tmp_path: Path, line: str, problem: str) -> None:
    _, rows = stage(tmp_path / "log.jsonl", f"{GOOD}\n  \n{line}\r\n{GOOD}", format="jsonl")
    assert [(row["source_row"], row["problem"]) for row in rows] == [(0, None), (1, problem), (2, None)]


SEVERAL = "several events on one line, wanted one a line"


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        pytest.param(GOOD.strip() * 3, [SEVERAL] * 3, id="as Firehose writes them"),
        pytest.param(f"{GOOD.strip()}, {GOOD.strip()} ,", [SEVERAL] * 2, id="with commas"),
        pytest.param(f"[{', '.join([GOOD.strip()] * 50)}]", [SEVERAL] * 50, id="a list"),
        pytest.param(f"[{GOOD.strip()}][{GOOD.strip()}]", [SEVERAL] * 2, id="two lists"),
        pytest.param(GOOD.strip() + GOOD[:20], [SEVERAL] * 2, id="the last one cut"),
        pytest.param('{"user_id": NaN}{"x": "\\ud800"}', [SEVERAL] * 2, id="what JSON has no word for"),
        pytest.param(f"[{GOOD.strip()}]", ["not a JSON object"], id="a list of one"),
        pytest.param(f"{GOOD.strip()},", ["not JSON"], id="a comma behind"),
        pytest.param("[" * 5_000, ["not JSON"], id="deep"),
    ],
)
def test_every_event_of_a_line_counts(tmp_path: Path, line: str, problems: list[str]) -> None:
    _, rows = stage(tmp_path / "log.jsonl", f"{GOOD}{line}\n{GOOD}", format="jsonl")
    assert [row["problem"] for row in rows] == [None, *problems, None]
    assert [row["source_row"] for row in rows] == list(range(len(problems) + 2))


def test_every_event_of_a_line_keeps_its_own_text(tmp_path: Path) -> None:
    lines = [b'{"user_id": "\xff"}{"a": 2}', b'[{"a": "\xff"}, {"a": 1}]', b'[{"a": "\\ud800"}, {"a": "\xc3\xbc"}]']
    _, rows = stage(tmp_path / "log.jsonl", b"\n".join([GOOD.strip().encode(), *lines]), format="jsonl")
    assert [row["problem"] for row in rows] == [None, *["line is not UTF-8"] * 4, SEVERAL, SEVERAL]
    kept = [json.loads(row["original"])["line"] for row in rows[1:]]
    bad = [r'{"user_id": "\xff"}', '{"a": 2}', r'{"a": "\xff"}', '{"a": 1}']
    assert kept == [*bad, '{"a": "\\ud800"}', '{"a": "ü"}']


@pytest.mark.parametrize(
    ("values", "unit", "wanted"),
    [
        pytest.param(["1795348800", '"1795348800"', "1795348800.0", "1.7953488e9"], "s", [None] * 4, id="numbers"),
        pytest.param(["true", "[1]", "{}"], "s", ["timestamp unparseable"] * 3, id="no single value"),
        pytest.param(["NaN"], "s", ["timestamp is NaN"], id="NaN"),
    ],
)
def test_times_are_read_from_numbers_and_texts(tmp_path: Path, values: list[str], unit: str, wanted: list[str]) -> None:
    good = '{"user_id": 1, "item_id": 2, "timestamp": 1795348800}\n'
    lines = [f'{{"user_id": 1, "item_id": 2, "timestamp": {value}}}\n' for value in values]
    _, rows = stage(tmp_path / "log.jsonl", good + "".join(lines), format="jsonl", time_unit=unit)
    assert [row["problem"] for row in rows] == [None, *wanted]
    assert len({row["timestamp"] for row in rows if row["problem"] is None}) == 1


@pytest.mark.parametrize(
    ("value", "column"),
    [
        pytest.param('"user_id": {"id": 5}', "user_id", id="an object where an id is wanted"),
        pytest.param('"user_id": "u", "value": [1, 2]', "value", id="a list in a column that may be empty"),
        pytest.param('"user_id": true', "user_id", id="true"),
    ],
)
def test_a_column_that_never_has_a_single_value_is_refused(tmp_path: Path, value: str, column: str) -> None:
    text = "no JSON\n" + f"{{{value}, {OTHER}}}\n" * 3
    with pytest.raises(
        WrongColumnError,
        match=f"jsonl: {column} is read from '{column}', and no single value is there in any row, e.g. {{",
    ):
        stage(tmp_path / "log.jsonl", text, format="jsonl")


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        pytest.param({}, '{"user_id": null, ' + OTHER + "}", id="a member"),
        pytest.param({"user_id": "$.user.id"}, '{"user": {"id": null}, ' + OTHER + "}", id="at the end of a path"),
        pytest.param({"user_id": "$.user.id"}, '{"user": null, ' + OTHER + "}", id="on the way"),
        pytest.param({"user_id": "$.users[0]"}, '{"users": [null], ' + OTHER + "}", id="in a list"),
    ],
)
def test_null_in_every_row_is_missing_and_no_wrong_column(tmp_path: Path, columns: dict[str, str], line: str) -> None:
    _, (row,) = stage(tmp_path / "log.jsonl", line, format="jsonl", columns=columns)
    assert (row["user_id"], row["problem"], row["original"]) == (None, None, line)
    without = line.replace("user", "uid")
    with pytest.raises(WrongColumnError, match=r"user_id is read from .*, and nothing is there in any row"):
        stage(tmp_path / "log.jsonl", without, format="jsonl", columns=columns)


def test_a_column_that_is_named_and_empty_has_no_near_name(tmp_path: Path) -> None:
    line = '{"user_id": 1, "Event": "x", "kind": null, ' + OTHER + "}"
    _, (row,) = stage(tmp_path / "log.jsonl", line, format="jsonl", columns={"event": "kind"})
    assert row["event"] is None


def test_a_list_may_be_the_document_and_a_basket_gives_the_item_that_is_named(tmp_path: Path) -> None:
    columns = {"user_id": "$[0]", "item_id": "$[1][-1].id", "timestamp": "$[2]"}
    _, rows = stage(
        tmp_path / "log.jsonl", '[1, [{"id": "a"}, {"id": "b"}], "2026-11-20"]', format="jsonl", columns=columns
    )
    assert [(row["user_id"], row["item_id"], row["problem"]) for row in rows] == [("1", "b", None)]


def test_a_row_without_its_user_keeps_its_line(tmp_path: Path) -> None:
    lines = [f'{{"usr": {n}, {OTHER}}}' for n in range(2)]
    _, rows = stage(tmp_path / "log.jsonl", "\n".join([GOOD.strip(), *lines]), format="jsonl")
    assert [(row["problem"], row["original"]) for row in rows] == [(None, None), *((None, line) for line in lines)]


IDS = st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, width=32) | st.text(max_size=8)


def _written(value: Any) -> str | None:
    """Write an id as people do."""
    if isinstance(value, float):
        if math.isinf(value) or abs(value) >= 2**53:
            return None
        return str(int(value)) if value.is_integer() else None
    text = None if value is None else str(value)
    blank = {*map(chr, range(0x1C, 0x20))}  # Python's white space alone
    return text if text and any(each in blank or not each.isspace() for each in text) else None


@given(ids=st.lists(st.tuples(IDS, IDS), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_every_line_is_a_row_and_every_id_comes_out_as_people_write_it(
    tmp_path_factory: pytest.TempPathFactory, ids: list[tuple[Any, Any]]
) -> None:
    path = tmp_path_factory.mktemp("json") / "log.jsonl"
    lines = [json.dumps({"user_id": user, "item_id": item, "timestamp": "2026-11-20"}) for user, item in ids]
    _, rows = stage(path, "\n".join([*lines, GOOD]), format="jsonl")
    assert [row["source_row"] for row in rows] == list(range(len(ids) + 1))
    for row, pair in zip(rows, ids, strict=False):
        for name, value in zip(("user_id", "item_id"), pair, strict=True):
            if isinstance(value, float) and value.is_integer() is False and not math.isinf(value):
                assert float(row[name]) == value
            elif not isinstance(value, str) or "\0" not in value:
                assert row[name] == _written(value)
