from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_contracts.night import Window
from tasks.validate.config import ValidationConfig
from tasks.validate.days import Days
from tasks.validate.errors import EmptyDayError, NoCompleteDayError
from tasks.validate.window import next_window

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
FIRST = date(2026, 11, 17)


def _days(*counts: int) -> Days:
    """Events of days that follow each other from `FIRST`; the last one can be 22 November, today."""
    return {FIRST + timedelta(number): count for number, count in enumerate(counts) if count}


def _window(days: Days, end: int | None = None, asked: int | None = None, **settings: object) -> tuple[int, int] | None:
    """Return the first and last day of the window, counted from `FIRST`."""
    window = next_window(
        days,
        end=None if end is None else FIRST + timedelta(end),
        asked=None if asked is None else FIRST + timedelta(asked),
        config=ValidationConfig.model_validate(settings),
        now=NOW,
    )
    return None if window is None else ((window.first_day - FIRST).days, (window.last_day - FIRST).days)


@pytest.mark.parametrize(
    ("days", "end", "settings", "window"),
    [
        pytest.param(_days(9, 9, 9), None, {}, (0, 2), id="the first one is from the first event on"),
        pytest.param(_days(9, 9, 9), 0, {}, (1, 2), id="the next one follows"),
        pytest.param(_days(9, 0, 9), 0, {}, (1, 2), id="over a day without events, too"),
        pytest.param(_days(9, 9, 9), 2, {}, None, id="nothing waits"),
        pytest.param(_days(9, 9, 9, 9, 9, 9), 3, {}, (4, 4), id="today waits for its end"),
        pytest.param(_days(1_000, 1_000, 101), 0, {}, (1, 1), id="a tenth of a day is not a day"),
        pytest.param(_days(1_000, 101), 0, {}, None, id="compared with the days before, not with itself"),
        pytest.param(_days(1_000, 101, 900), 0, {}, (1, 2), id="a quiet day is in the window of the next"),
        pytest.param(
            _days(1_000, 1_000, 1_000, 250, 250), 2, {}, (3, 3), id="traffic that fell for good is a day late"
        ),
        pytest.param(_days(1_000, 1_000, 1_000, 250, 20), 2, {}, None, id="a few events of the next day say nothing"),
        pytest.param(_days(1_000, 101), 0, {"complete_day": 0.1}, (1, 1), id="as the settings say"),
        pytest.param(_days(9, 9, 9, 9, 9), 3, {"grace_hours": 2}, (4, 4), id="its hours of grace are over"),
        pytest.param(_days(9, 9, 9, 9, 9), 3, {"grace_hours": 2.5}, None, id="not yet"),
    ],
)
def test_a_night_opens_the_window_up_to_the_newest_whole_day(
    days: Days, end: int | None, settings: dict[str, object], window: tuple[int, int] | None
) -> None:
    assert _window(days, end, **settings) == window


def test_a_marker_says_that_a_day_is_whole_however_many_events_it_has(tmp_path: Path) -> None:
    marker = f"{tmp_path}/%Y/%m-%d/_SUCCESS"
    assert _window(_days(9, 9, 1), 0, complete_marker=marker) is None
    for number in (1, 2):
        file = Path((FIRST + timedelta(number)).strftime(marker))
        file.parent.mkdir(parents=True)
        file.touch()
    assert _window(_days(9, 9, 1, 9), 0, complete_marker=marker) == (1, 2)


def test_a_day_that_is_asked_for_is_taken_whole_or_not() -> None:
    assert _window(_days(9, 9, 1), 0, asked=2) == (1, 2)
    assert _window(_days(9, 9, 1), 1, asked=1) is None, "the same night again"
    with pytest.raises(EmptyDayError, match=r"no row of 2026-11-20, .* are of 2026-11-18 to 2026-11-19.*leave `thr"):
        _window(_days(9, 9, 1), 0, asked=3)


def test_without_a_whole_day_there_is_no_first_window_and_the_error_says_what_one_is() -> None:
    with pytest.raises(
        NoCompleteDayError, match=r"of 2026-11-22 to 2026-11-22; .*2026-11-22 02:00 UTC, .* and has 1 rows, 30%"
    ):
        next_window({NOW.date(): 3}, end=None, asked=None, config=ValidationConfig(), now=NOW)
    with pytest.raises(NoCompleteDayError, match="there is no row in them"):
        next_window({}, end=None, asked=None, config=ValidationConfig(), now=NOW)


def test_what_waits_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert _window(_days(1_000, 101), 0) is None
    assert "No day after 2026-11-17, on which the tables end, can be closed yet" in caplog.text
    assert "30% of a usual day's" in caplog.text


def test_a_window_is_of_days() -> None:
    assert next_window(_days(1), end=None, asked=FIRST, config=ValidationConfig(), now=NOW) == Window(
        first_day=FIRST, last_day=FIRST
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"complete_marker": "/logs/_SUCCESS"}, "one file for all days", id="no day in it"),
        pytest.param({"complete_marker": "/logs/%F", "complete_day": 0.5}, "complete_day would be ignored", id="both"),
    ],
)
def test_a_marker_that_says_nothing_of_a_day_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ValidationConfig.model_validate(settings)
