from __future__ import annotations

import pytest

from tasks.ingest.config import SourceConfig
from tasks.ingest.json_path import Keys, keys, value_at


@pytest.mark.parametrize(
    ("column", "way"),
    [
        pytest.param("user_id", ("user_id",), id="a name"),
        pytest.param("user.id", ("user.id",), id="a name with a dot"),
        pytest.param("$price", ("$price",), id="a name with a dollar"),
        pytest.param("$.user.id", ("user", "id"), id="members"),
        pytest.param('$["a"].b', ("a", "b"), id="in brackets"),
        pytest.param("$['it\\'s'][ \"a \\u00e9\" ]", ("it's", "a é"), id="quotes and escapes"),
        pytest.param("$.items[0].id", ("items", 0, "id"), id="a place"),
        pytest.param("$[-1]", (-1,), id="from the end"),
        pytest.param("$.@timestamp", ("@timestamp",), id="what Logstash writes"),
    ],
)
def test_a_path_is_read(column: str, way: Keys) -> None:
    assert keys(column) == way


@pytest.mark.parametrize(
    "column",
    [
        "$.items[*].id",
        "$..id",
        "$.items[0:2]",
        "$.items[?(@.a)]",
        "$.*",
        "$[0,1]",
        "$['a','b']",
        "$.",
        "$.a.",
        "$.a[b]",
    ],
)
def test_a_path_that_may_match_several_values_is_refused_with_the_settings(column: str) -> None:
    with pytest.raises(ValueError, match=r"columns.item_id: .\$.*names no single value.*write one a line"):
        SourceConfig(format="jsonl", columns={"item_id": column})
    assert SourceConfig(format="csv", columns={"item_id": column}).columns, "a name like any other"


@pytest.mark.parametrize(
    ("way", "value"),
    [
        pytest.param(("a", 0, "b"), 1, id="there"),
        pytest.param(("a", -1, "b"), 2, id="from the end"),
        pytest.param(("a", 2), None, id="beyond the end"),
        pytest.param(("a", "b"), None, id="a member of a list"),
        pytest.param((0,), None, id="a place in an object"),
        pytest.param(("c", "d"), None, id="a member of a text"),
    ],
)
def test_a_value_is_found_or_nothing(way: Keys, value: object) -> None:
    assert value_at({"a": [{"b": 1}, {"b": 2}], "c": "d"}, way) == value
