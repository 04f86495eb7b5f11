"""Nights of a zone where clocks are set anew: 1 November 2026 has 25 hours in New York."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from data_contracts.contract import ContractError
from data_contracts.days import end_of, start_of
from data_contracts.night import Window
from data_contracts.staging import DAY_ZONE
from data_contracts.upgrade import bring_up_to_date
from tasks.preprocess.truth import new_files
from tasks.validate.config import ValidationConfig
from tasks.validate.window import next_window
from tests.tasks.validate.logs import Shop

ZONE, LONG = "America/New_York", date(2026, 11, 1)
DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)


def _quarters(first: date, last: date) -> list[str]:
    """One row at every quarter of an hour of some days."""
    start = start_of(first, ZONE)
    count = (end_of(last, ZONE) - start) // QUARTER + 1
    return [f"u{number % 7},i1,{(start + number * QUARTER).isoformat()},1" for number in range(count)]


def test_windows_of_a_zone_hold_each_row_of_its_days_exactly_once(tmp_path: Path, cluster: str) -> None:
    shop = Shop(tmp_path, cluster, day_zone=ZONE)
    first = shop.night("a.csv", _quarters(LONG - DAY, LONG))
    then = shop.night("b.csv", _quarters(LONG + DAY, LONG + 2 * DAY), through=LONG + DAY)
    assert [first.window, then.window] == [
        Window(first_day=LONG - DAY, last_day=LONG),
        Window(first_day=LONG + DAY, last_day=LONG + DAY),
    ]
    assert (first.accepted, then.accepted, then.early, first.quarantined + then.quarantined) == (196, 192, 96, 0)
    events = shop.table("events")
    rows = pl.DataFrame(events.read(columns=["timestamp", "day"]))
    assert dict(rows.group_by("day").len().iter_rows()) == {
        LONG - DAY: 96,
        LONG: 100,
        LONG + DAY: 96,
        LONG + 2 * DAY: 96,
    }
    assert all(moment.astimezone(ZoneInfo(ZONE)).date() == day for moment, day in rows.iter_rows())
    taken = [new_files(events, None, first.truth), new_files(events, first.truth, then.truth)]
    assert [sum(files.values()) for files in taken] == [196, 96]
    assert not taken[0].keys() & taken[1].keys()
    _another_zone_is_refused(shop)


def _another_zone_is_refused(shop: Shop) -> None:
    bring_up_to_date(shop.workspace)
    assert shop.table("events").note(DAY_ZONE) == shop.table("quarantine").note(DAY_ZONE) == ZONE
    with pytest.raises(ContractError, match=f"(?s)days of {ZONE} since .* day_zone is 'UTC'.*Set day_zone: {ZONE}"):
        bring_up_to_date(shop.workspace.model_copy(update={"day_zone": "UTC"}))


def test_tables_that_say_no_zone_go_by_days_of_utc(tmp_path: Path, cluster: str) -> None:
    shop = Shop(tmp_path, cluster)
    bring_up_to_date(shop.workspace.model_copy(update={"day_zone": ZONE}))  # nothing was written yet
    shop.table("events").commit([], ["file:of an older code"])
    bring_up_to_date(shop.workspace)
    with pytest.raises(ContractError, match="days of UTC since its first night, and day_zone is 'America/New_York'"):
        bring_up_to_date(shop.workspace.model_copy(update={"day_zone": ZONE}))


@pytest.mark.parametrize(
    ("zone", "hour", "grace", "last"),
    [
        pytest.param("UTC", 2, 0, 1, id="in UTC"),
        pytest.param("Asia/Shanghai", 2, 0, 1, id="the morning in the east"),
        pytest.param("Asia/Shanghai", 17, 0, 2, id="the next day in the east"),
        pytest.param("America/New_York", 2, 0, 0, id="still the day before in the west"),
        pytest.param("America/New_York", 5, 0, 1, id="over at midnight in the west"),
        pytest.param("America/New_York", 5, 1, 0, id="not after an hour of grace"),
    ],
)
def test_a_day_is_over_at_the_midnight_of_its_zone(zone: str, hour: int, grace: float, last: int) -> None:
    now = datetime(2026, 11, 3, hour, tzinfo=UTC).astimezone(ZoneInfo(zone))
    days = {LONG + number * DAY: 9 for number in range(4)}
    window = next_window(days, end=None, asked=None, config=ValidationConfig(grace_hours=grace), now=now)
    assert window is not None
    assert window.last_day == LONG + last * DAY


def test_hours_of_grace_are_hours_gone_by() -> None:
    """At 03:00 of a day without the hour from 02:00 on, two hours of it have gone by."""
    now = datetime(2026, 3, 8, 3, tzinfo=ZoneInfo(ZONE))
    days = {date(2026, 3, 6): 9, date(2026, 3, 7): 9}
    ends = [
        next_window(days, end=None, asked=None, config=ValidationConfig(grace_hours=hours), now=now)
        for hours in (2, 2.5)
    ]
    assert [window and window.last_day for window in ends] == [date(2026, 3, 7), date(2026, 3, 6)]
