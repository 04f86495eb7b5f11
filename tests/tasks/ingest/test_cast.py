from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from data_contracts.recommender.events import EVENTS
from data_contracts.staging import incoming
from tasks.ingest.cast import cast
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import TimeUnit
from tasks.ingest.errors import WrongColumnError
from tests.tasks.ingest.source import source_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _cast(columns: dict[str, Any], *, source: SourceConfig | None = None) -> pl.DataFrame:
    raw = pl.DataFrame(columns).with_row_index("source_row")
    raw = raw.with_columns(original=pl.lit(None, pl.String), problem=pl.lit(None, pl.String))
    return cast(raw, schema=incoming(EVENTS), names={name: name for name in columns}, source=source or source_of())


@pytest.mark.parametrize(
    ("unit", "given", "wanted"),
    [
        pytest.param("s", "1795348800", NOON, id="seconds"),
        pytest.param("s", 1795348800, NOON, id="seconds as a number"),
        pytest.param("s", 1795348800.0, NOON, id="seconds as a fraction"),
        pytest.param("s", " 1795348800.25 ", NOON.replace(microsecond=250_000), id="fractions of seconds"),
        pytest.param("s", Decimal("1795348800.25"), NOON.replace(microsecond=250_000), id="decimal seconds"),
        pytest.param("s", Decimal("-0.75"), EPOCH - timedelta(seconds=0.75), id="decimal seconds before 1970"),
        pytest.param("s", Decimal("1795348800.00"), NOON, id="a whole decimal"),
        pytest.param("ms", Decimal("1795348800000.125"), NOON.replace(microsecond=125), id="decimal milliseconds"),
        pytest.param("ns", Decimal("1795348800000001999"), NOON.replace(microsecond=1), id="decimal nanoseconds"),
        pytest.param("s", "1.7953488e9", NOON, id="with an exponent"),
        pytest.param("ms", "1795348800001", NOON.replace(microsecond=1_000), id="milliseconds"),
        pytest.param("us", "1795348800000001", NOON.replace(microsecond=1), id="microseconds"),
        pytest.param("ns", "1795348800000001999", NOON.replace(microsecond=1), id="nanoseconds"),
        pytest.param("iso", "2026-11-22T12:00:00Z", NOON, id="ISO"),
        pytest.param("iso", "2026-11-22 12:00", NOON, id="ISO without seconds or zone"),
        pytest.param("iso", "2026-11-22T14:00:00.000001+02:00", NOON.replace(microsecond=1), id="ISO with a zone"),
        pytest.param("iso", "2026-11-22 12:00:00.5+00", NOON.replace(microsecond=500_000), id="a zone of hours"),
        pytest.param("iso", "2026-11-22", NOON.replace(hour=0), id="a day"),
        pytest.param("iso", date(2026, 11, 22), NOON.replace(hour=0), id="Parquet's own day"),
        pytest.param("iso", datetime(2026, 11, 22, 12), NOON, id="Parquet's own time without zone"),
        pytest.param("iso", NOON, NOON, id="Parquet's own time"),
    ],
)
def test_a_time_is_read_to_the_microsecond(unit: TimeUnit, given: object, wanted: datetime) -> None:
    row = _cast({"timestamp": [given]}, source=source_of(time_unit=unit)).row(0, named=True)
    assert row["timestamp"] == wanted
    assert row["problem"] is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "iso"])
@pytest.mark.parametrize(
    "given", ["soon", "22/11/2026", "2026-13-01", "nan", "inf", "1e300", "99999999999999999999999"]
)
def test_a_time_that_cannot_be_read_is_kept_as_it_came(unit: TimeUnit, given: str) -> None:
    row = _cast({"user_id": ["a"], "timestamp": [given]}, source=source_of(time_unit=unit)).row(0, named=True)
    assert row["timestamp"] is None
    assert row["problem"] == "timestamp unparseable"
    assert row["original"] == f'{{"user_id":"a","timestamp":"{given}"}}'


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("0000-01-01T00:00:00Z", id="year 0"),
        pytest.param("0001-01-01T00:00:00+14:00", id="year 0 in UTC"),
        pytest.param(pl.Series([2**59]).cast(pl.Datetime("us")), id="Parquet's own time"),
        pytest.param(pl.Series([3_000_000]).cast(pl.Date), id="Parquet's own day"),
    ],
)
def test_a_time_that_no_calendar_has_breaks_its_row_alone(given: str | pl.Series) -> None:
    row = _cast({"timestamp": [given] if isinstance(given, str) else given}).row(0, named=True)
    assert (row["timestamp"], row["problem"]) == (None, "timestamp unparseable")


def test_what_is_missing_is_no_problem_of_reading() -> None:
    rows = _cast({"user_id": [" ", None], "timestamp": ["", " "], "value": [None, ""]})
    assert rows["problem"].null_count() == rows["user_id"].null_count() == rows["timestamp"].null_count() == 2


def test_the_first_problem_of_a_row_is_named_and_good_rows_carry_no_copy() -> None:
    rows = _cast({"timestamp": ["soon", "2026-11-22"], "value": ["many", "1e3"]}).sort("source_row")
    assert rows["problem"].to_list() == ["timestamp unparseable", None]
    assert rows["original"].is_null().to_list() == [False, True]
    assert rows["value"].to_list() == [None, 1000.0]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        pytest.param(source_of(), ["view", "buy"], id="default where nothing is said"),
        pytest.param(source_of(columns={"event": "event"}), [None, "buy"], id="a column that was named takes none"),
    ],
)
def test_a_default_stands_in_for_what_the_source_does_not_say(source: SourceConfig, wanted: list[str | None]) -> None:
    assert _cast({"event": ["", "buy"]}, source=source)["event"].to_list() == wanted


def test_numbers_and_bytes_become_ids() -> None:
    assert _cast({"user_id": [12], "item_id": [b"ok"]}).row(0)[:2] == ("12", "ok")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param({"timestamp": [1]}, "column 'timestamp' is Int64: set source.time_unit", id="a number is not ISO"),
        pytest.param({"user_id": [["a"]]}, "column 'user_id' is List", id="a list is no id"),
        pytest.param({"user_id": [True]}, "column 'user_id' is Boolean", id="true is no id"),
        pytest.param({"user_id": [timedelta(1)]}, "column 'user_id' is Duration", id="a span is no id"),
        pytest.param({"value": [timedelta(1)]}, "column 'value' is Duration", id="a span is no number"),
    ],
)
def test_a_column_that_can_never_be_read_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongColumnError, match=message):
        _cast(columns)


@pytest.mark.parametrize("settings", [{}, {"time_unit": "s"}, {"time_format": "%Y%m%d"}])
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(True, pl.Boolean(), id="true"),
        pytest.param(timedelta(1), pl.Duration("us"), id="a span"),
        pytest.param(time(12), pl.Time(), id="a time of day"),
        pytest.param(1_795_348_800.0, pl.Float32(), id="a float of 32 bits"),
        pytest.param(1.0, pl.Float16(), id="a float of 16 bits"),
    ],
)
def test_what_has_no_moment_in_it_is_refused_as_a_time(given: Any, kind: pl.DataType, settings: dict[str, Any]) -> None:
    with pytest.raises(WrongColumnError, match=rf"column 'timestamp' is {type(kind).__name__}.*, w"):
        _cast({"timestamp": pl.Series([given], dtype=kind)}, source=source_of(**settings))
