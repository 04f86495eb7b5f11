from __future__ import annotations

from datetime import date, timedelta

import pytest

from tasks.ingest.days import Days, median_day, newest_complete_day, span

TODAY = date(2026, 11, 22)
WRONG: Days = {date(1970, 1, day): 1 for day in range(1, 9)}


def _days(**counts: int) -> Days:
    """Rows by days before today: d0 is today."""
    return {TODAY - timedelta(days=int(name[1:])): count for name, count in counts.items() if name != "none"} | (
        {None: counts["none"]} if "none" in counts else {}
    )


@pytest.mark.parametrize(
    ("days", "ago"),
    [
        pytest.param(_days(d0=100, d1=100, d2=100), 1, id="yesterday, not today"),
        pytest.param(_days(d1=1, d2=200, d3=200), 2, id="a few early clocks do not close a day"),
        pytest.param(_days(d1=2, d2=9, d3=100, d4=100, d5=100), 1, id="quiet days that follow are taken as well"),
        pytest.param(_days(d1=9, d3=100, d4=100, d5=100), 3, id="but not after a day without any rows"),
        pytest.param(_days(d1=10, d2=100, d3=100), 1, id="a tenth of the median day does"),
        pytest.param({**_days(d1=1, d2=1, d5=1_000), **WRONG}, 5, id="nor do many wrong ones"),
        pytest.param(_days(d1=9, d2=11, d3=10, d4=900), 1, id="after a day that is much bigger"),
        pytest.param(_days(d0=100), None, id="only today"),
        pytest.param(_days(none=5), None, id="no times at all"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_night_ends_on_the_newest_day_that_is_over_and_full_enough(days: Days, ago: int | None) -> None:
    assert newest_complete_day(days, today=TODAY) == (None if ago is None else TODAY - timedelta(days=ago))


@pytest.mark.parametrize(
    ("days", "ago"),
    [
        pytest.param(_days(d1=1, d2=5, d3=1), 2, id="in the middle"),
        pytest.param(_days(d1=1, d2=1), 2, id="the earlier of two"),
        pytest.param(_days(d5=1, none=9), 5, id="rows without a time have no say"),
        pytest.param(_days(none=9), None, id="nobody knows"),
    ],
)
def test_a_file_is_of_the_day_of_its_median_event(days: Days, ago: int | None) -> None:
    assert median_day(days) == (None if ago is None else TODAY - timedelta(days=ago))


def test_a_span_is_said_in_words() -> None:
    assert span(_days(d1=1, d3=1)) == "their events are of 2026-11-19 to 2026-11-21"
    assert span(_days(none=3)) == "no time in them can be read"
