from __future__ import annotations

from datetime import date, timedelta

import pytest

from tasks.validate.days import Days, newest_whole_day, span, usual_day

TODAY = date(2026, 11, 22)


def _days(**counts: int) -> Days:
    """Events by days before today: d0 is today."""
    return {TODAY - timedelta(days=int(name[1:])): count for name, count in counts.items()}


@pytest.mark.parametrize(
    ("days", "usual"),
    [
        pytest.param(_days(d1=100, d2=50, d3=10), 50, id="the median day"),
        pytest.param(
            {**_days(d1=400, d2=500), **{date(1970, 1, day): 1 for day in range(1, 9)}}, 450, id="many stray ones"
        ),
        pytest.param({}, 0, id="none"),
    ],
)
def test_a_usual_day_is_the_median_one_and_wrong_clocks_make_no_days(days: Days, usual: float) -> None:
    assert usual_day(days) == usual


@pytest.mark.parametrize(
    ("days", "whole", "ago"),
    [
        pytest.param(_days(d0=9, d1=9, d2=9), 5, 1, id="yesterday, not today"),
        pytest.param(_days(d1=4, d2=9, d3=9), 5, 2, id="not one that is not whole"),
        pytest.param(_days(d1=9, d2=4, d3=9), 5, 1, id="whatever is before it"),
        pytest.param(_days(d1=0, d2=9), 0, 2, id="not one without events"),
        pytest.param(_days(d0=9), 0, None, id="only today"),
        pytest.param({}, 0, None, id="nothing"),
    ],
)
def test_a_window_ends_on_the_newest_day_that_is_over_and_whole(days: Days, whole: int, ago: int | None) -> None:
    over = TODAY - timedelta(days=1)
    found = newest_whole_day(days, over=over, is_whole=lambda day: days[day] >= whole)
    assert found == (None if ago is None else TODAY - timedelta(days=ago))


def test_a_span_is_said_in_words() -> None:
    assert span(_days(d1=1, d3=1)) == "their rows are of 2026-11-19 to 2026-11-21"
    assert span({}) == "there is no row in them"
