from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from data_contracts.buckets import bucket_of
from data_contracts.days import start_of
from data_contracts.night import HeldOut, Window
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.recommender.plan import LEAVE_ONE_OUT, Plan, add_days, count_by_day, hold_out_end
from tests.tasks.preprocess.recommender.logs import FIRST_DAY, Event, frame, shop

LAST_DAY = FIRST_DAY + timedelta(4)


def days(*targets_and_users: tuple[int, int]) -> pl.DataFrame:
    targets, users = zip(*targets_and_users, strict=True)
    return pl.DataFrame(
        {"day": [FIRST_DAY + timedelta(at) for at in range(len(targets))], "targets": targets, "users": users}
    )


@pytest.mark.parametrize(
    ("min_targets", "min_units", "first_day"),
    [
        pytest.param(1, 1, 4, id="one day is enough"),
        pytest.param(10, 1, 4, id="just enough"),
        pytest.param(11, 1, 3, id="one target short takes one day more"),
        pytest.param(1, 6, 2, id="users count as well"),
        pytest.param(40, 9, 1, id="something is left for the past"),
    ],
)
def test_whole_days_are_held_out_from_the_end_until_they_are_enough(
    min_targets: int, min_units: int, first_day: int
) -> None:
    logs = days((10, 1), (10, 2), (10, 3), (10, 2), (10, 3))
    window = hold_out_end(logs, LAST_DAY, HeldOut(min_targets=min_targets, min_units=min_units))
    assert window == Window(first_day=FIRST_DAY + timedelta(first_day), last_day=LAST_DAY)


@pytest.mark.parametrize(
    ("logs", "min_targets", "min_units"),
    [
        pytest.param(days((10, 1), (10, 2)), 21, 1, id="too few targets"),
        pytest.param(days((10, 1), (10, 2)), 1, 4, id="too few users"),
        pytest.param(days((10, 1), (10, 2)), 11, 1, id="nothing left for the past"),
        pytest.param(days((0, 0), (10, 2)), 1, 1, id="no target in the past"),
    ],
)
def test_logs_too_small_for_a_first_night_are_refused(logs: pl.DataFrame, min_targets: int, min_units: int) -> None:
    with pytest.raises(TooFewTargetsError, match=r"Seen 2026-01-01 to 2026-01-05: 1?\d+ targets of \d users\. Wanted"):
        hold_out_end(logs, LAST_DAY, HeldOut(min_targets=min_targets, min_units=min_units))


def test_targets_are_counted_on_their_days_and_users_on_the_day_of_their_last() -> None:
    day = 86_400
    events = [Event(0, "a", "view", "u"), Event(0, "b", "view", "u"), Event(2 * day, "a", "view", "u")]
    once = Event(day, "a", "view", "once")
    counted = add_days([count_by_day(frame(part).lazy(), "UTC") for part in (events, [once])])
    assert list(counted.select("targets", "users").iter_rows()) == [(1, 0), (0, 0), (1, 1)]


def test_counts_of_parts_add_up_to_counts_of_the_whole() -> None:
    events = shop(range(4))
    parts = [
        count_by_day(part.lazy(), "UTC")
        for part in events.with_columns(bucket=bucket_of("user_id")).partition_by("bucket")
    ]
    assert add_days(parts).equals(count_by_day(events.lazy(), "UTC"))


def test_the_first_night_has_a_past_and_a_window_that_judges() -> None:
    plan = Plan(Window(first_day=FIRST_DAY + timedelta(1), last_day=LAST_DAY), first=True, protocol="nightly")
    events = frame(Event(second, "a", "view", "u") for second in (86_399, 86_400, 4 * 86_400))
    assert plan.keys == ("2026-01-01", "2026-01-05")
    assert plan.assign(events.lazy(), "UTC").collect()["window"].to_list() == ["2026-01-01", "2026-01-05", "2026-01-05"]


def test_a_late_event_is_handled_in_the_newest_window() -> None:
    plan = Plan(Window(first_day=LAST_DAY, last_day=LAST_DAY), first=False, protocol="nightly")
    assert (
        plan.assign(frame([Event(0, "a", "view", "u")]).lazy(), "UTC").collect()["window"].to_list()
        == [*plan.keys]
        == ["2026-01-05"]
    )


def test_a_night_cuts_by_days_of_its_zone() -> None:
    midnight = start_of(LAST_DAY, "America/New_York")
    times = [midnight - timedelta(microseconds=1), midnight]
    events = pl.DataFrame({"user_id": ["u", "u"], "timestamp": times}).lazy()
    plan = Plan(Window(first_day=LAST_DAY, last_day=LAST_DAY), first=True, protocol="nightly")
    assert plan.assign(events, "America/New_York").collect()["window"].to_list() == list(plan.keys)
    assert plan.assign(events, "UTC").collect()["window"].to_list() == [plan.window.key] * 2
    counted = count_by_day(events, "America/New_York")
    assert counted["day"].to_list() == [LAST_DAY - timedelta(days=1), LAST_DAY]


def test_leave_one_out_holds_out_each_users_last_two_events() -> None:
    plan = Plan(Window(first_day=FIRST_DAY, last_day=LAST_DAY), first=True, protocol="leave_one_out")
    events = [Event(5, "b", "view", "u"), Event(5, "a", "view", "u"), Event(1, "c", "view", "u")]
    rows = plan.assign(frame([*events, Event(0, "a", "view", "once")]).lazy(), "UTC").collect()
    assert plan.keys == LEAVE_ONE_OUT
    assert set(rows.select("user_id", "item_id", "window").iter_rows()) == {
        ("u", "c", "loo-1-train"),
        ("u", "a", "loo-2-validation"),
        ("u", "b", "loo-3-test"),
        ("once", "a", "loo-3-test"),
    }
