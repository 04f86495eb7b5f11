from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.ingest.config import SourceConfig


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        pytest.param({"format": "jsonl", "separator": ";"}, ["separator is for csv"], id="separator"),
        pytest.param({"format": "parquet", "quoted": False}, ["quoted is for csv"], id="quotes"),
        pytest.param(
            {"format": "sequences", "columns": {"user_id": "u"}, "time_unit": "s"},
            ["columns has no meaning", "time_unit has no meaning"],
            id="both at once",
        ),
        pytest.param(
            {"format": "sequences", "time_zone": "Asia/Tokyo", "time_format": "%Y"},
            ["time_zone has no meaning", "time_format has no meaning"],
            id="no times",
        ),
        pytest.param(
            {"columns": {"event": "kind"}, "defaults": {"event": "view"}},
            ["'event' is both in columns and in defaults"],
            id="default never used",
        ),
        pytest.param(
            {"compute": {"event": "kind"}, "columns": {"event": "kind"}, "defaults": {"event": "view"}},
            ["'event' is both in columns and in compute", "'event' is both in compute and in defaults"],
            id="said twice",
        ),
        pytest.param({"format": "jsonl", "header": ["a"]}, ["header is for csv"], id="header"),
        pytest.param({"format": "sequences", "where": "a = 1"}, ["where has no meaning"], id="where"),
        pytest.param(
            {"format": "jsonl", "where": '"$.a[*]" = 1'}, ["where: '$.a[*]' names no single value"], id="several values"
        ),
        pytest.param(
            {"time_unit": "ms", "time_zone": "UTC", "time_format": "%Y%m%d"},
            ["time_format and time_zone would be ignored: time_unit 'ms' is for numbers"],
            id="numbers",
        ),
        pytest.param(
            {"time_format": "%Y-%m-%dT%H:%M:%S%z", "time_zone": "Asia/Tokyo"},
            ["time_zone would be ignored: time_format '%Y-%m-%dT%H:%M:%S%z' has the offset"],
            id="zone and offset",
        ),
    ],
)
def test_settings_that_would_be_ignored_are_refused_all_at_once(settings: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        SourceConfig.model_validate(settings)
    assert all(problem in str(error.value) for problem in problems)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        pytest.param({"uri": ""}, "should match pattern", id="no place"),
        pytest.param({"uri": " "}, "should match pattern", id="blank place"),
        pytest.param({"values": {"event": {"0": " "}}}, "should match pattern", id="a value that would be nothing"),
        pytest.param({"where": "SUM(a) > 1"}, "where: 'SUM\\(a\\) > 1' looks at several rows", id="a sum"),
        pytest.param({"compute": {"event": "a b c"}}, "compute.event: 'a b c' is no expression", id="no SQL"),
        pytest.param({"header": ["a", "b", "a"]}, "header names 'a' more than once", id="a name twice"),
        pytest.param({"columns": {"n": ["a", "a"]}}, "columns.n names 'a' more than once", id="a number twice"),
        pytest.param({"uri": []}, "at least 1 item", id="no place in a list"),
        pytest.param({"uri": ["logs", ""]}, "should match pattern", id="no place among several"),
        *(
            pytest.param({"separator": each}, "cannot stand between fields", id=f"between: {each!r}")
            for each in ("§", "\0", "\n", "\r", '"')
        ),
        pytest.param({"time_zone": "europe/berlin"}, "no IANA name.*near it are Europe/Berlin", id="zone"),
        pytest.param({"time_zone": "+02:00"}, "no IANA name, such as .*Etc/GMT-2", id="offset for a zone"),
        pytest.param({"time_format": "%H:%M"}, "must say the year, the month and the day", id="no day"),
        pytest.param({"time_format": "%Y-%m"}, "must say the year, the month and the day", id="no day of the month"),
        pytest.param({"time_format": "soon"}, "must say the year", id="no pattern"),
        pytest.param({"time_format": "%Q"}, "no strptime pattern", id="no such directive"),
        pytest.param({"time_format": "%d/%m/%Y %I:%M"}, "no strptime pattern: .*meridiem", id="half a day"),
        pytest.param({"time_format": "%d/%m/%Y %H:%M %Z"}, "%Z is a name that many zones share", id="name of a zone"),
        pytest.param({"time_format": "%s"}, "set time_unit to s", id="number"),
        pytest.param({"time_format": "%Y-%m-%d %H:%M:%S,%f"}, "fixed number of digits is %3f", id="comma"),
        pytest.param({"time_zone": "Mars/Base", "time_format": "%Q"}, "(?s)IANA name.*no strptime", id="both"),
    ],
)
def test_what_can_never_be_read_is_refused_with_the_settings(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SourceConfig.model_validate(settings)


@pytest.mark.parametrize(
    "settings", [{"format": "jsonl"}, {"format": "delta"}, {"format": "sequences"}, {"arrival": "file", "uri": ["a"]}]
)
def test_settings_that_were_written_out_are_the_same_settings(settings: dict[str, Any]) -> None:
    source = SourceConfig.model_validate(settings)
    assert SourceConfig.model_validate(source.model_dump(mode="json")) == source


def test_every_setting_is_described_and_has_a_default() -> None:
    assert all(field.description for field in SourceConfig.model_fields.values())
    assert SourceConfig().has_times
    assert not SourceConfig(format="sequences").has_times
    assert re.search("fsspec", SourceConfig.model_fields["uri"].description or "")
