from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_contracts.contract import ContractViolationError
from data_contracts.night import Window
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import EmptyDayError, NoCompleteDayError
from tests.tasks.validate.logs import DAY, Shop, lines, on_day, status


def test_good_rows_become_events_and_bad_ones_are_kept_as_they_came(shop: Shop) -> None:
    bad = [f",i1,{DAY},1", f"u1,i1,{DAY},nan", "u1,i1,soon,1"]
    validated = shop.night("a.csv", [*lines(DAY), *bad])
    assert validated.model_dump(exclude={"docs_uri", "of_table"}) == {
        "truth": 0,
        "rows_read": 303,
        "accepted": 300,
        "early": 0,
        "quarantined": 3,
        "dropped": 0,
        "repeats": 0,
        "forgotten": 0,
        "left_out": 0,
        "window": {"first_day": DAY, "last_day": DAY},
    }
    assert shop.table("events").read().column("day").unique().to_pylist() == [DAY]
    kept = {row["source_row"]: row for row in shop.table("quarantine").read().to_pylist()}
    assert {row: kept[row]["rule"] for row in kept} == {
        300: "user_id missing",
        301: "value not finite",
        302: "timestamp unparseable",
    }
    assert json.loads(kept[301]["row"])["value"] == "NaN"
    assert json.loads(kept[302]["row"]) == {"user_id": "u1", "item_id": "i1", "timestamp": "soon", "value": "1"}
    assert kept[300]["source_file"].endswith("/logs/a.csv")
    assert kept[300]["day_ingested"] == datetime.now(UTC).date()
    page = Path(validated.docs_uri).read_text()
    assert "broken by 1 of 303 rows" in page
    assert ", at least <" in page, "the share of rows that keep a rule is said"
    assert "font-family: system-ui" in page, "readable without the internet"
    assert status(validated.docs_uri) == "Succeeded", "within the budget"
    assert shop.files("staging") == []


def test_a_page_names_neither_users_nor_items(shop: Shop) -> None:
    when = (f"{DAY}T01:00:00Z", "soon", "1970-01-01T00:00:00Z", "2131-01-01T00:00:00Z")
    bad = [f"secret-{n},secret-item,{time},{value}" for n, time in enumerate(when) for value in ("nan", "", "many")]
    bad += [f"{'secret' * 60},i,{DAY},1", f"u,{'secret' * 60},{DAY},1", f",secret,{DAY},1", f"secret,,{DAY},1"]
    config = ValidationConfig(max_quarantined=0.5, allowed={"event": ("buy",)})
    with pytest.raises(ContractViolationError, match="unknown event"):
        shop.night("a.csv", [*lines(DAY), *bad], config=config)
    (page,) = Path(shop.workspace.docs).iterdir()
    text = page.read_text(encoding="utf-8")
    assert "secret" not in text


def test_the_folder_of_a_home_may_look_like_a_pattern(tmp_path: Path, cluster: str) -> None:
    (tmp_path / "br [x]").mkdir()
    assert Shop(tmp_path / "br [x]", cluster).night("a.csv", lines(DAY)).accepted == 300


def test_the_same_night_again_publishes_nothing_and_says_the_same(shop: Shop) -> None:
    first = shop.night("a.csv", lines(DAY))
    again = shop.night()
    assert again == first.model_copy(update={"docs_uri": ""})


def test_a_task_that_runs_again_after_its_commits_says_the_same(shop: Shop) -> None:
    shop.write("a.csv", lines(DAY))
    staged = shop.stage()
    first, again = (shop.validate(staged) for _ in range(2))
    assert again == first
    assert shop.table("events").version() == 0


def test_a_week_that_was_missed_is_caught_up_in_one_window(shop: Shop) -> None:
    shop.night("0.csv", lines(on_day(0)))
    for day in range(1, 8):
        shop.write(f"{day}.csv", lines(on_day(day)))
    validated = shop.night()
    assert validated.window == Window(first_day=on_day(1), last_day=on_day(7))
    assert validated.accepted == 7 * 300


def test_windows_follow_each_other_also_over_days_that_no_file_came_from(shop: Shop) -> None:
    shop.night("a.csv", lines(on_day(0)) + lines(on_day(1)))
    assert shop.night("b.csv", lines(on_day(3))).window == Window(first_day=on_day(2), last_day=on_day(3))


def test_wrong_clocks_go_to_quarantine_and_move_no_window(shop: Shop) -> None:
    clocks = [f"u,i,{year}-01-01T00:00:00Z,1" for year in (1970, 2131)]
    validated = shop.night("a.csv", [*lines(DAY), *clocks])
    assert validated.window == Window(first_day=DAY, last_day=DAY)
    rules = shop.table("quarantine").read()["rule"].to_pylist()
    assert sorted(rules) == ["timestamp before first_day", "timestamp in the future"]


def test_late_events_are_accepted_for_some_days(shop: Shop) -> None:
    shop.night("a.csv", lines(on_day(0)))
    late = [f"late,i,{on_day(-2)}T00:00:00Z,1", f"too late,i,{on_day(-3)}T23:59:59Z,1"]
    validated = shop.night("b.csv", [*lines(on_day(1)), *late], config=ValidationConfig(late_days=3))
    assert (validated.accepted, validated.quarantined) == (301, 1)
    assert shop.table("quarantine").read()["rule"].to_pylist() == ["timestamp older than late_days"]


def test_early_rows_are_events_at_once_and_wait_for_a_window_of_their_own(shop: Shop) -> None:
    early = shop.night("a.csv", [*lines(DAY), *lines(on_day(1), 20)])
    assert (early.window.last_day, early.accepted, early.early, early.quarantined) == (DAY, 320, 20, 0)
    rest = shop.night("b.csv", lines(on_day(1), 280, first=20))
    assert (rest.window, rest.truth) == (Window(first_day=on_day(1), last_day=on_day(1)), 1)
    assert (rest.accepted, rest.early) == (280, 0)
    assert shop.table("quarantine").read().num_rows == 0


def test_a_window_of_early_rows_alone_is_opened_without_a_new_file(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY) + lines(on_day(1)), through=DAY)
    later = shop.night(through=on_day(1))
    assert (later.truth, later.window) == (1, Window(first_day=on_day(1), last_day=on_day(1)))
    assert (later.rows_read, later.docs_uri) == (0, "")
    assert shop.night(through=on_day(1)) == later, "the same night again"
    with pytest.raises(EmptyDayError):
        shop.night(through=on_day(2))


def test_rows_of_days_that_cannot_be_closed_yet_are_published_and_open_no_window(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.night("a.csv", lines(DAY))
    with caplog.at_level(logging.INFO):
        validated = shop.night("b.csv", [*lines(on_day(1), 30), f"late,i,{DAY}T00:00:00Z,1"])
    assert (validated.truth, validated.window.last_day, validated.accepted, validated.early) == (0, DAY, 31, 30)
    assert "No window is opened, and the champion stays; 31 rows wait for one" in caplog.text
    assert shop.stage().uri == "", "they are consumed"
    assert shop.night("c.csv", lines(on_day(1), 270, first=30)).truth == 2


@pytest.mark.parametrize(
    ("policy", "counts"),
    [pytest.param("quarantine", (300, 300, 0), id="kept"), pytest.param("drop", (300, 0, 300), id="dropped")],
)
def test_late_rows_are_on_no_budget(
    shop: Shop, caplog: pytest.LogCaptureFixture, policy: str, counts: tuple[int, int, int]
) -> None:
    config = ValidationConfig.model_validate({"late": policy, "late_days": 2})
    shop.night("a.csv", lines(DAY))
    shop.write("late.csv", lines(on_day(-5)))
    validated = shop.night("b.csv", lines(on_day(1)), config=config)
    assert (validated.accepted, validated.quarantined, validated.dropped) == counts
    assert "300 rows came more than 2 days late, e.g. late.csv row" in caplog.text
    assert status(validated.docs_uri) == "Succeeded"
    os.utime(shop.logs / "late.csv", (1, 1))
    again = shop.night(config=config)
    assert (again.quarantined, again.dropped, again.repeats) == ((0, 300, 0) if policy == "drop" else (0, 0, 300))


def test_late_rows_stop_the_night_where_the_settings_say_so(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    with pytest.raises(
        ContractViolationError, match=r"1 rows came more than 3 days late, e.g. b.csv row 300: \{.*late"
    ):
        shop.night("b.csv", [*lines(on_day(1)), f"u,i,{on_day(-9)},1"], config=ValidationConfig(late="stop"))
    assert shop.table("events").version() == 0


def test_a_day_whose_rows_are_all_broken_fails_though_no_day_can_be_closed(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    wanted = (
        r"(?s)timestamp unparseable: 300 rows, e.g. b.csv row \d+: \{.*b.csv has '2026-11-11\?10:00:00Z', wanted ISO"
    )
    with pytest.raises(ContractViolationError, match=wanted):
        shop.night("b.csv", [line.replace("T", "?") for line in lines(on_day(1))])
    assert shop.stage().uri, "they are taken again once they are mended"


def test_without_a_whole_day_nothing_is_published(shop: Shop) -> None:
    with pytest.raises(NoCompleteDayError, match="no whole day yet"):
        shop.night("a.csv", lines(datetime.now(UTC).date()))
    assert shop.files("tables") == shop.files("staging") == []


@pytest.mark.parametrize(
    ("good", "config", "message"),
    [
        pytest.param(
            300,
            ValidationConfig(),
            r"(?s)'events' \d{4}-\d\d-\d\d: 2 rules broken in 309 rows \(budget 1.0 %, seen 2.9 %\)."
            r"\n  - user_id missing: 8 rows, e.g. a.csv row 300: \{.*timestamp unparseable: 1 rows.*max_quarantined",
            id="over the budget",
        ),
        pytest.param(0, ValidationConfig(max_quarantined=1.0), r"(?s)seen 100.0 %.*Fix the source.$", id="all"),
    ],
)
def test_a_night_that_is_refused_publishes_nothing_and_leaves_nothing(
    shop: Shop, good: int, config: ValidationConfig, message: str
) -> None:
    bad = [*(f",i{n},{DAY},1" for n in range(8)), "u,i,soon,1"]
    with pytest.raises(ContractViolationError, match=message):
        shop.night("a.csv", lines(DAY, good) + bad, config=config)
    assert shop.table("events").version() is None
    assert shop.table("quarantine").version() is None
    assert shop.files("tables") == shop.files("staging") == []
    (page,) = Path(shop.workspace.docs).iterdir()
    assert status(page) == "Failed"


def test_once_the_source_is_mended_the_night_runs(shop: Shop) -> None:
    with pytest.raises(ContractViolationError):
        shop.night("a.csv", [f",i{n},{DAY},1" for n in range(9)])
    assert shop.night("a.csv", lines(DAY)).accepted == 300


def test_late_rows_are_of_the_volume_of_their_own_day(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.night("0.csv", lines(on_day(0)))
    with caplog.at_level(logging.WARNING):
        shop.night("1.csv", [*lines(on_day(1)), *lines(on_day(0), first=300)])
    assert "rows a day" not in caplog.text
    with caplog.at_level(logging.WARNING):
        shop.night("2.csv", lines(on_day(2), 200))
    assert "200 rows a day, the median of 2 days before is 450" in caplog.text


def test_an_unusual_volume_warns_first_and_stops_after_seven_windows(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = ValidationConfig(stop_on=("volume",), complete_day=0)
    shop.night("0.csv", lines(on_day(0)))
    with caplog.at_level(logging.WARNING):
        shop.night("1.csv", lines(on_day(1), 30), config=stopping)
    assert "30 rows a day, the median of 1 days before is 300" in caplog.text
    for n in range(2, 7):
        shop.night(f"{n}.csv", lines(on_day(n)))
    with pytest.raises(ContractViolationError, match=r"(?s)30 rows a day.*or take volume out"):
        shop.night("7.csv", lines(on_day(7), 30), config=stopping)
