from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data_contracts.serving import VersionHeld
from flows.nights import NightSeen, Seen, StaleModelError, markdown, require_fresh

NOW = datetime(2026, 1, 10, 2, tzinfo=UTC)
SERVED = VersionHeld(version="7", since=NOW - timedelta(hours=3), trained_through="2026-01-08")
"""Its data ends with that day: 26 hours before now."""


def night(state: str, *, hours_ago: float = 1, reason: str = "") -> NightSeen:
    at = NOW - timedelta(hours=hours_ago)
    return NightSeen("calm-owl", at, state, at, timedelta(seconds=95), reason)


@pytest.mark.parametrize("state", ["Failed", "Crashed", "Cancelled", "TimedOut", "Late"])
def test_a_last_night_that_is_bad_is_said_with_its_reason(state: str) -> None:
    seen = Seen(NOW, (night(state, reason="the disk is full"), night("Completed", hours_ago=25)), SERVED)
    assert seen.problems(None) == [f"The last night, calm-owl, is {state}: the disk is full"]


@pytest.mark.parametrize(
    "nights",
    [
        pytest.param((), id="no night yet"),
        pytest.param((night("Completed"), night("Crashed", hours_ago=25)), id="mended since"),
        pytest.param((night("Running"), night("Completed", hours_ago=25)), id="one is under way"),
        pytest.param((night("Cancelled", hours_ago=3), night("Completed", hours_ago=2)), id="a second one refused"),
    ],
)
def test_nights_that_are_well_are_no_problem(nights: tuple[NightSeen, ...]) -> None:
    assert Seen(NOW, nights, SERVED).problems(None) == []


def test_a_bad_night_stays_a_problem_while_the_next_is_under_way() -> None:
    seen = Seen(NOW, (night("Running"), night("Crashed", hours_ago=25)), SERVED)
    assert seen.problems(None) == ["The last night, calm-owl, is Crashed: no reason is known"]


def test_nothing_served_is_a_problem_and_says_why() -> None:
    seen = Seen(NOW, (night("Completed"),), None, "no model server answers")
    assert seen.problems(None) == ["Nothing is served: no model server answers."]
    require_fresh(seen, 1)


def test_a_champion_that_is_not_served_is_stale_whatever_its_age() -> None:
    seen = Seen(NOW, (), None, "the server holds no version yet", champion=True)
    require_fresh(seen, None)
    with pytest.raises(StaleModelError, match=r"Nothing is served: the server holds .* There is a champion: look at"):
        require_fresh(seen, 1_000)


def test_data_older_than_allowed_is_stale_and_counted_from_the_end_of_its_last_day() -> None:
    seen = Seen(NOW, (), SERVED)
    assert seen.data_age == timedelta(hours=26)
    require_fresh(seen, None)
    require_fresh(seen, 26)
    with pytest.raises(StaleModelError, match=r"Version 7 .* 2026-01-08, ended 26 h ago; alerts.stale_hours allows 25"):
        require_fresh(seen, 25)
    assert len(seen.problems(25)) == 1


def test_the_page_has_a_row_for_each_night_that_no_reason_can_break() -> None:
    page = markdown(Seen(NOW, (night("Failed", reason="a | b <b>"), night("Completed")), SERVED), None)
    assert page.splitlines()[0] == "**Not well.** The last night, calm-owl, is Failed: a \\| b &lt;b>"
    assert page.splitlines()[-2:] == [
        "| 2026-01-10 01:00 | calm-owl | Failed | 1 min 35 s | a \\| b &lt;b> |",
        "| 2026-01-10 01:00 | calm-owl | Completed | 1 min 35 s |  |",
    ]
    assert "**All is well.**" in markdown(Seen(NOW, (night("Completed"),), SERVED), None)
