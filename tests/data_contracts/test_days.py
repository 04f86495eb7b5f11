from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.days import day_of, days_of, end_of, problem_of, start_of
from data_contracts.rules import in_time

DAY, QUARTER, INSTANT = timedelta(days=1), timedelta(minutes=15), timedelta(microseconds=1)
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
OVER_MIDNIGHT = date(2011, 12, 31)
"""Until then clocks somewhere went back over midnight, or left a day out."""


@given(st.sampled_from(ZONES), st.dates(OVER_MIDNIGHT, date(2037, 1, 1)))
@example("UTC", date(2026, 3, 8))
@example("America/New_York", date(2026, 3, 8))
@example("America/New_York", date(2026, 11, 1))
@example("America/Havana", date(2026, 3, 8))  # midnight is skipped
@example("America/Havana", date(2026, 11, 1))  # midnight comes twice
@example("Africa/Cairo", date(2026, 4, 24))
@example("Australia/Lord_Howe", date(2026, 4, 5))  # half an hour
@example("Asia/Kathmandu", date(2026, 1, 1))
@settings(deadline=None)
def test_each_quarter_of_an_hour_is_in_the_day_that_the_zone_says_and_in_no_other(zone: str, middle: date) -> None:
    days = [middle - DAY, middle, middle + DAY]
    start, end = start_of(days[0], zone), end_of(days[-1], zone)
    moments = [start + number * QUARTER for number in range(-4, (end - start) // QUARTER + 5)]
    said = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    column = pl.DataFrame({"at": pl.Series(moments, dtype=pl.Datetime("us", "UTC"))})
    assert column.select(days_of(pl.col("at"), zone))["at"].to_list() == said
    assert [day_of(moment, zone) for moment in moments] == said
    for day in days:
        within = [start_of(day, zone) <= moment <= end_of(day, zone) for moment in moments]
        assert within == [other == day for other in said]
        assert end_of(day, zone) + INSTANT == start_of(day + DAY, zone)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 8), 24),
        ("Asia/Shanghai", date(2026, 3, 8), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
    ],
)
def test_a_day_has_as_many_hours_as_its_clocks_show(zone: str, day: date, hours: int) -> None:
    assert start_of(day + DAY, zone) - start_of(day, zone) == timedelta(hours=hours)


def test_in_utc_days_are_from_midnight_to_midnight() -> None:
    day = date(2026, 11, 22)
    assert start_of(day, "UTC") == datetime(2026, 11, 22, tzinfo=UTC)
    assert end_of(day, "UTC") == datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_the_first_day_and_the_last_that_there_are_have_bounds(zone: str) -> None:
    assert start_of(date.min, zone).year == 1
    assert end_of(date.max, zone).year == 9999


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "UTC"])
def test_rules_of_time_hold_to_the_instant(zone: str) -> None:
    first, earliest, latest = date(2026, 1, 1), date(2026, 3, 8), date(2026, 11, 1)
    rules = in_time("at", Limits(first, earliest, latest, day_zone=zone))
    bounds = [start_of(first, zone), start_of(earliest, zone), end_of(latest, zone)]
    moments = [bound + step for bound in bounds for step in (-INSTANT, timedelta(), INSTANT)]
    table = pl.DataFrame({"at": pl.Series(moments, dtype=pl.Datetime("us", "UTC"))}).to_arrow()
    assert check(table, rules).first_broken.tolist() == [0, 2, 2, 2, -1, -1, -1, -1, 1]


@pytest.mark.parametrize("zone", ["Asia/Shangai", "Europe", "+08:00", "localtime", "../Europe/Berlin", ""])
def test_a_zone_that_there_is_not_is_named(zone: str) -> None:
    assert f"{zone!r} is no IANA name, such as Europe/Berlin" in str(problem_of(zone))


def test_a_zone_that_is_misspelt_has_neighbours() -> None:
    assert "near it are Asia/Shanghai" in str(problem_of("Asia/Shangai"))
