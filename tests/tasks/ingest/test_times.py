from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.days import problem_of
from tasks.ingest import iso, pattern
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.times import moment, wanted
from tests.tasks.ingest.source import source_of

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


def _read(values: Any, **settings: Any) -> list[datetime | None]:
    column = values if isinstance(values, pl.Series) else pl.Series(values)
    frame = column.alias("t").to_frame()
    return frame.select(moment(pl.col("t"), "t", column.dtype, source_of(**settings)))["t"].to_list()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:00:00Z",
        "2026-11-20t10:00:00z",
        "2026-11-20 10:00:00 UTC",
        "2026-11-20 10:00:00 GMT",
        "2026-11-20 10:00:00 Z",
        "2026-11-20 10:00:00utc",
        "20261120T100000Z",
        "20261120T1000Z",
        "20261120T10Z",
        "2026-11-20T10Z",
        "2026-11-20T10:00Z",
        "2026-11-20T10:00:00,000Z",
        "2026-11-20T10:00:00.0000004Z",
        "2026/11/20 10:00:00",
        "2026/11/20  10:00",
        " 2026-11-20 10:00 ",
        "2026-11-20T10:00:00+00",
        "2026-11-20T10:00:00-00:00",
        "2026-11-20T15:00:00+05",
        "2026-11-20T15:30:00+0530",
        "2026-11-20T15:30:00+05:30",
        "2026-11-20T04:30:00-05:30",
        "2026-11-20T05:00:00\u221205:00",
        "2026-11-20 15:30:00 +0530",
        "2026-11-20T11:00:00+01:00[Europe/Berlin]",
        "2026-11-20T11:00:00+01:00[Europe/Berlin][u-ca=iso8601]",
        "2026-11-20T10:00:00Z[UTC]",
        "2026-11-20T10:00:00Z[GMT+05:00]",
        "2026-11-20T05:00:00-05:00[Etc/GMT+5]",
        "2026-11-20T05:00-05[GMT-05:00]",
        "2026-11-20T15:00:00+05:00[Etc/GMT-5]",
        "2026-11-20 10:00:00 UTC[+0100]",
        "2026-11-20 10:00:00 +0000 UTC",
        "2026-11-20 11:00:00 +0100 CET",
    ],
)
def test_every_way_of_writing_one_moment_is_read(text: str) -> None:
    assert _read([text]) == [TEN]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC), id="a day is its first moment"),
        pytest.param("20261120", datetime(2026, 11, 20, tzinfo=UTC), id="a day without hyphens"),
        pytest.param("2026/1/7 9:05", datetime(2026, 1, 7, 9, 5, tzinfo=UTC), id="one digit"),
        pytest.param("2026-11-20T24:00:00Z", datetime(2026, 11, 21, tzinfo=UTC), id="end of a day"),
        pytest.param("20261231T2400Z", datetime(2027, 1, 1, tzinfo=UTC), id="end of a year"),
        pytest.param("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC), id="leap second"),
        pytest.param(
            "2016-12-31T15:59:60.5-08:00", datetime(2017, 1, 1, microsecond=500_000, tzinfo=UTC), id="leap second afar"
        ),
        pytest.param(
            "1969-12-31T23:59:59.999999999Z",
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            id="nanoseconds are cut",
        ),
        pytest.param("2026-11-20T10:00:00,5Z", TEN.replace(microsecond=500_000), id="comma"),
    ],
)
def test_what_a_form_means(text: str, read: datetime) -> None:
    assert _read([text]) == [read]


@pytest.mark.parametrize(
    "text",
    [
        "01/02/2026",
        "26-11-20",
        "2026-13-01",
        "2026-02-30",
        "2026-11/20",
        "2026-11-20T",
        "2026-11-20T10:",
        "2026-11-20T1",
        "2026-11-20T10:5Z",
        "2026-11-20T100Z",
        "2026-11-20T25:00Z",
        "2026-11-20T10:60Z",
        "2026-11-20T24:00:01Z",
        "2026-11-20T24:00:00.1Z",
        "2026-11-20T12:30:60Z",
        "2026-11-20T10.5Z",
        "2026-11-20T10:00:00.Z",
        "2026-11-20T10:00:00+24:00",
        "2026-11-20T10:00:00+05:60",
        "2026-11-20T10:00:00[Europe/Berlin]",
        "2026-11-20T10:00:00[+01:00]",
        "2026-11-20T10:00:00Z[+01:00",
        "2026-11-20T10:00:00+01:00]",
        "2026-11-20T10:00:00Z[]",
        "2026-11-20T10:00:00 CET",
        "2026-11-20Z",
        "20261120100000",
        "٢٠٢٦-11-20",
        "1795168800",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "",
    ],
)
def test_what_is_no_time_or_not_one_alone_is_not_guessed(text: str) -> None:
    assert _read([text, None, "2026-11-20T10:00Z"]) == [None, None, TEN]


def test_no_times_at_all_are_none() -> None:
    assert _read(pl.Series([], dtype=pl.String)) == []
    assert _read(pl.Series([None])) == [None]


MOMENTS = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC))
on_a_busy_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@st.composite
def written(draw: st.DrawFn) -> tuple[datetime, str]:
    """A moment, and one of its forms."""
    moment = draw(MOMENTS)
    local = moment.astimezone(draw(OFFSETS))
    hours, minutes = divmod(abs(int(local.utcoffset().total_seconds())) // 60, 60)  # type: ignore[union-attr]
    sign = draw(st.sampled_from(["-", "\u2212"])) if local.utcoffset() < timedelta(0) else "+"  # type: ignore[operator]
    offset = f"{sign}{hours:02}{draw(st.sampled_from(['', ':']))}{minutes:02}"
    zones = [offset, f" {offset}", f"{offset}[Europe/Berlin]", f"{offset}[Etc/GMT+5]"] + (
        [f"{sign}{hours:02}"] if not minutes else []
    )
    if not local.utcoffset():
        zones += ["Z", "z", " UTC", " gmt", ""]
    day = draw(st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"]))
    clock = draw(st.sampled_from(["%H:%M:%S", "%H%M%S"]))
    fraction = f"{draw(st.sampled_from('.,'))}{local.microsecond:06}{draw(st.sampled_from(['', '999', '9999']))}"
    text = local.strftime(f"{day}{draw(st.sampled_from('Tt '))}{clock}") + fraction
    return moment, text + draw(st.sampled_from(zones))


@on_a_busy_machine
@given(st.lists(written(), min_size=1, max_size=20))
def test_any_moment_in_any_form_is_read_back_exactly(cases: list[tuple[datetime, str]]) -> None:
    assert _read([text for _, text in cases]) == [moment for moment, _ in cases]


@on_a_busy_machine
@given(
    st.lists(st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1), timezones=st.just(UTC)), min_size=1, max_size=20),
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]
    ),
)
def test_a_local_time_is_read_back_in_any_zone_except_in_the_hour_that_comes_again(
    moments: list[datetime], zone: str
) -> None:
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    first = [each.replace(fold=0).astimezone(UTC) for each in local]
    assert _read([f"{each:%Y-%m-%dT%H:%M:%S.%f}" for each in local], time_zone=zone) == first
    by_pattern = _read([f"{each:%d.%m.%Y %H:%M:%S.%f}" for each in local], time_zone=zone, time_format=PATTERN)
    assert by_pattern == first
    parquet = pl.Series([each.replace(tzinfo=None) for each in local], dtype=pl.Datetime("us"))
    assert _read(parquet, time_zone=zone) == first


PATTERN = "%d.%m.%Y %H:%M:%S.%f"


@pytest.mark.parametrize(
    ("local", "zone", "read"),
    [
        pytest.param("2026-10-25 02:30", "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), id="twice"),
        pytest.param("2026-03-29 02:30", "Europe/Berlin", None, id="skipped"),
        pytest.param("2016-10-16", "America/Sao_Paulo", datetime(2016, 10, 16, 3, tzinfo=UTC), id="skipped midnight"),
        pytest.param("2016-10-16 00:30", "America/Sao_Paulo", None, id="skipped after midnight"),
        pytest.param("2026-11-20T10:00Z", "Asia/Tokyo", TEN, id="a zone that is said counts"),
        pytest.param("2026-11-20", "Asia/Tokyo", datetime(2026, 11, 19, 15, tzinfo=UTC), id="a day"),
    ],
)
def test_the_zone_of_the_source_is_that_of_times_that_say_none(local: str, zone: str, read: datetime | None) -> None:
    assert _read([local], time_zone=zone) == [read]


def test_parquets_own_times_without_a_zone_are_the_sources() -> None:
    assert _read([datetime(2026, 11, 20, 19)], time_zone="Asia/Tokyo") == [TEN]
    assert _read([date(2026, 11, 20)], time_zone="Asia/Tokyo") == [datetime(2026, 11, 19, 15, tzinfo=UTC)]
    assert _read(pl.Series([TEN]), time_zone="Asia/Tokyo") == [TEN], "it is UTC inside"


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        pytest.param("%d/%m/%Y %H:%M:%S", ["20/11/2026 10:00:00", " 20/11/2026 10:00:00 "], id="day first"),
        pytest.param("%m/%d/%Y %I:%M %p", ["11/20/2026 10:00 AM"], id="month first"),
        pytest.param(
            "%d/%b/%Y:%H:%M:%S %z",
            ["20/Nov/2026:11:00:00 +0100", "20/Nov/2026:11:00:00 +01:00", "20/Nov/2026:10:00:00 Z"],
            id="web server",
        ),
        pytest.param("%a, %d %b %Y %H:%M:%S GMT", ["Fri, 20 Nov 2026 10:00:00 GMT"], id="HTTP"),
        pytest.param("%Y%m%d%H%M%S", ["20261120100000", 20261120100000], id="digits"),
        pytest.param("%Y-%m-%d %H:%M:%S,%3f", ["2026-11-20 10:00:00,000"], id="Python's log"),
        pytest.param("%G-W%V-%uT%H:%M", ["2026-W47-5T10:00"], id="week"),
    ],
)
def test_times_are_read_by_a_pattern_of_the_source(form: str, texts: list[Any]) -> None:
    for text in texts:
        assert _read([text], time_format=form) == [TEN]
    assert _read(["soon", None, "2026-11-20T10:00:00Z"], time_format=form) == [None, None, None]


@pytest.mark.parametrize(
    ("form", "number", "read"),
    [
        pytest.param("%d%m%y", 201126, TEN.replace(hour=0), id="all digits"),
        pytest.param("%d%m%y", 10126, None, id="a zero in front is lost"),
        pytest.param("%H%M%d%m%Y", 51120112026, None, id="of the hour"),
        pytest.param("%y%m%d%H%M", 611201000, None, id="of the year"),
        pytest.param("%Y%m%d%H%-M", 20261120109, TEN.replace(minute=9), id="a pattern of two widths"),
        pytest.param("%Y%m%d", -20261120, None, id="below zero"),
    ],
)
def test_a_number_by_pattern_has_all_its_digits(form: str, number: int, read: datetime | None) -> None:
    for kind in (pl.Int64, pl.Float64, pl.Decimal(38, 2), pl.String):
        assert _read(pl.Series([number, None]).cast(kind), time_format=form) == [read, None]


def test_a_fraction_by_pattern_is_one_of_a_second() -> None:
    assert _read(["20.11.2026 10:00:00.5"], time_format=PATTERN) == [TEN.replace(microsecond=500_000)]


def test_numbers_need_a_unit() -> None:
    with pytest.raises(WrongColumnError, match=r"column 't' is Int64: set source.time_unit"):
        _read([1_795_168_800])
    with pytest.raises(WrongColumnError, match=r"column 't' is Float64"):
        _read([1_795_168_800.5])


def test_what_is_wanted_is_said() -> None:
    assert "ISO 8601" in wanted(source_of())
    assert "number of ms" in wanted(source_of(time_unit="ms"))
    assert "'%d/%m/%Y'" in wanted(source_of(time_format="%d/%m/%Y"))


def test_names_of_zones_and_patterns_are_checked() -> None:
    assert problem_of("Asia/Tokyo") is None
    assert pattern.problem_of("%Y-%m-%d 100%%") is None
    assert pattern.problem_of("%Y-%m-%d %H:%M %:z") is None
    assert iso.read(pl.Series(["2026-11-20"]), "Etc/GMT-2").to_list() == [datetime(2026, 11, 19, 22, tzinfo=UTC)]


PLACES = st.sampled_from([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])


@given(
    moments=st.lists(st.datetimes(datetime(1, 1, 1)) | st.none(), min_size=1, max_size=6),
    between=st.sampled_from("T "),
    fraction=st.sampled_from(["", ".5", ".000001", ".1234567"]),
    said=st.sampled_from(["", "Z", "+00:00", "-00:00", "+05:30", "-23:59", "+24:00"]),
    other=st.sampled_from(["", "", "", "0", "9", ":", "T", "ü"]),
    place=PLACES,
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
@settings(max_examples=300, deadline=None)
def test_moments_written_alike_are_read_as_any_others_are(
    moments: list[datetime | None], between: str, fraction: str, said: str, other: str, place: int, zone: str
) -> None:
    texts = [each and f"{each.replace(microsecond=0).isoformat(between)}{fraction}{said}" for each in moments]
    if other and (last := texts[-1]):
        texts[-1] = f"{last[:place]}{other}{last[place + 1 :]}"
    alike = iso.read(pl.Series(texts, dtype=pl.String), zone)
    beside_another = iso.read(pl.Series([*texts, "2026-11-20"], dtype=pl.String), zone)
    assert alike.to_physical().to_list() == beside_another[:-1].to_physical().to_list()
