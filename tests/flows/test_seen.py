from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from data_contracts.serving import VersionHeld
from flows.alerts import AlertConfig
from flows.seen import UNKNOWN, RunSeen, Seen, StaleModelError, markdown, require_fresh

NOW = datetime(2026, 1, 10, 2, tzinfo=UTC)
DIGEST = "0" * 64
SERVED = VersionHeld(version="7", digest=DIGEST, since=NOW - timedelta(hours=3), trained_through="2026-01-07")
NEWEST = date(2026, 1, 8)
"""Of its night, and judged on: it ended 26 hours before now."""


def seen_of(*nights: RunSeen, champion: str | None = "7", stray: str = "") -> Seen:
    return Seen(NOW, nights, SERVED, newest=NEWEST, champion=champion, stray=stray)


def night(state: str, *, hours_ago: float = 1, reason: str = "") -> RunSeen:
    at = NOW - timedelta(hours=hours_ago)
    return RunSeen("calm-owl", at, state, at, timedelta(seconds=95), reason)


@pytest.mark.parametrize("state", ["Failed", "Crashed", "Cancelled", "TimedOut", "Late"])
def test_a_last_night_that_is_bad_is_said_with_its_reason(state: str) -> None:
    seen = seen_of(night(state, reason="the disk is full"), night("Completed", hours_ago=25))
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
def test_nights_that_are_well_are_no_problem(nights: tuple[RunSeen, ...]) -> None:
    assert seen_of(*nights).problems(36) == []
    assert seen_of(*nights).verdict(36) == ["All is well."]


def test_a_bad_night_stays_a_problem_while_the_next_is_under_way() -> None:
    seen = seen_of(night("Running"), night("Crashed", hours_ago=25))
    assert seen.problems(None) == ["The last night, calm-owl, is Crashed: no reason is known"]


def test_nothing_served_is_a_problem_and_says_why() -> None:
    seen = Seen(NOW, (night("Completed"),), None, "no model server answers")
    assert seen.problems(None) == ["Nothing is served: no model server answers."]
    require_fresh(seen, 1)


def test_a_champion_that_is_not_served_is_stale_whatever_its_age() -> None:
    seen = Seen(NOW, (), None, "the server holds no version yet", champion=UNKNOWN)
    require_fresh(seen, None)
    with pytest.raises(StaleModelError, match=r"Nothing is served: the server holds .* There is a champion: look at"):
        require_fresh(seen, 1_000)


def test_data_older_than_allowed_is_stale_and_counted_from_the_end_of_the_nights_newest_day() -> None:
    seen = seen_of()
    assert seen.data_age == timedelta(hours=26)
    require_fresh(seen, None)
    require_fresh(seen, 26)
    with pytest.raises(StaleModelError, match=r"through 2026-01-07, .* 2026-01-08, ended 26 h ago; .* allows 25"):
        require_fresh(seen, 25)
    assert len(seen.problems(25)) == 1


def test_a_day_ends_where_its_zone_says() -> None:
    assert replace(seen_of(), day_zone="Asia/Shanghai").data_age == timedelta(hours=26 + 8)


def test_a_healthy_house_is_never_stale_and_one_that_missed_a_night_is() -> None:
    """A night at 02:00 takes yesterday; it has until the next one is in service."""
    hours, allowed = timedelta(hours=1), AlertConfig().stale_hours
    next_in_service = Seen(datetime(2026, 1, 10, 5, tzinfo=UTC), (), SERVED, newest=NEWEST, champion="7")
    missed = Seen(NOW + 12 * hours, (), SERVED, newest=NEWEST, champion="7")
    assert not next_in_service.is_stale(allowed)
    assert missed.is_stale(allowed)


def test_where_no_age_is_set_it_is_not_said_that_all_is_well() -> None:
    (verdict,) = seen_of(night("Completed")).verdict(None)
    assert verdict == "The nights are well; how old the data may be is not set (alerts.stale_hours)."


def test_a_champion_that_another_version_answers_for_is_said() -> None:
    (problem,) = seen_of(champion="9").problems(36)
    assert problem.startswith("Version 7 is in service, and the champion is version 9:")
    assert seen_of(champion=UNKNOWN).problems(36) == []
    assert seen_of(stray="answers with another").problems(36) == ["The model server answers with another."]


def test_the_page_has_a_row_for_each_night_that_no_reason_can_break() -> None:
    page = markdown(seen_of(night("Failed", reason="a | b <b>"), night("Completed")), None)
    assert page.splitlines()[0] == "**Not well: The last night, calm-owl, is Failed: a \\| b &lt;b>**"
    assert page.splitlines()[-2:] == [
        "| 2026-01-10 01:00 | calm-owl | Failed | 1 min 35 s | a \\| b &lt;b> |",
        "| 2026-01-10 01:00 | calm-owl | Completed | 1 min 35 s |  |",
    ]
    assert "**All is well.**" in markdown(seen_of(night("Completed")), 36)


def asking(state: str, *, hours_ago: float = 0.5, reason: str = "") -> RunSeen:
    return replace(night(state, hours_ago=hours_ago, reason=reason), name="shop-2026-01-09-version-8")


def test_a_question_that_waits_is_said_and_is_no_problem() -> None:
    seen = replace(seen_of(night("Completed")), questions=(asking("Suspended"), asking("Completed", hours_ago=30)))
    assert seen.verdict(36) == ["All is well."]
    (asked,) = seen.asked()
    assert asked == "shop-2026-01-09-version-8 waits for a yes or a no since 2026-01-10 01:30 UTC: " + (
        "`python -m flows.approve`."
    )
    page = markdown(seen, 36).splitlines()
    assert page[2] == f"**{asked}**"
    assert [line.split(" | ")[1:3] for line in page[-2:]] == [
        ["shop-2026-01-09-version-8", "Suspended"],
        ["calm-owl", "Completed"],
    ], "a question from before the first of the nights is not shown"


def test_an_answer_that_failed_is_a_problem_until_the_next_question_or_night() -> None:
    failed = asking("Failed", reason="MLflow does not answer")
    seen = replace(seen_of(night("Completed")), questions=(failed,))
    (problem,) = seen.problems(36)
    step = "`python -m flows.approve` answers it again."
    assert problem == f"The last question, shop-2026-01-09-version-8, is Failed: MLflow does not answer. {step}"
    assert replace(seen, questions=(asking("Suspended", hours_ago=0.1), failed)).problems(36) == []
    assert replace(seen, nights=(night("Completed", hours_ago=0.1), *seen.nights)).problems(36) == []
