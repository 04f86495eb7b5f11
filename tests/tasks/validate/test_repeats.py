from __future__ import annotations

import logging
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from data_contracts.contract import ContractError, ContractViolationError
from data_contracts.night import HeldOut, Night, Staged, Validated
from data_contracts.table import Table
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.validate.config import ValidationConfig
from tests.tasks.validate.logs import DAY, Shop, lines, on_day, status

pytestmark = pytest.mark.slow

BROKEN = [f",i1,{DAY}T01:00:00Z,1", f"u1,i1,{DAY},nan", "u1,i1,soon,1"]


def _touch(shop: Shop, name: str) -> None:
    """Give a file another time; its bytes stay."""
    os.utime(shop.logs / name, (1, 1))


def _one_row_more(staged: Staged) -> Staged:
    """As if a row had been lost since."""
    return staged.model_copy(update={"rows_read": staged.rows_read + 1})


def _counts(validated: Validated) -> tuple[int, int, int, int]:
    return validated.rows_read, validated.accepted, validated.quarantined, validated.repeats


def _rows(table: Table) -> list[tuple[object, ...]]:
    return sorted(tuple(map(str, row.values())) for row in table.read().to_pylist())


def test_a_file_that_grew_gives_its_new_rows_and_the_others_are_counted(shop: Shop) -> None:
    shop.night("a.csv", [*lines(DAY), *BROKEN])
    grown = shop.night("a.csv", [*lines(DAY), *BROKEN, *lines(on_day(1)), f",i2,{on_day(1)},1"])
    assert _counts(grown) == (604, 300, 1, 303)
    assert len(set(_rows(shop.table("events")))) == len(_rows(shop.table("events"))) == 600
    assert len(_rows(shop.table("quarantine"))) == 4
    events = shop.table("events")
    assert tuple(events.mark(name) for name in ("rows_read", "accepted", "quarantined", "repeats")) == _counts(grown)


def test_repeats_are_repeats_however_old_they_are(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    _touch(shop, "a.csv")
    assert _counts(shop.night("b.csv", lines(on_day(10)))) == (600, 300, 0, 300)


def test_broken_rows_come_once_and_repeats_of_them_are_on_nobodys_budget(shop: Shop) -> None:
    shop.night("a.csv", [*lines(DAY), *BROKEN])
    assert _counts(shop.night("b.csv", [*lines(on_day(1)), "u1,i1,soon,1"])) == (301, 300, 1, 0), "a file of its own"
    (shop.logs / "a.csv").rename(shop.logs / "a.1.csv")
    assert _counts(shop.night("c.csv", lines(on_day(2), 100))) == (403, 100, 0, 303)


ALIKE = ",,,9"


@pytest.mark.parametrize(
    ("name", "rows", "seen"),
    [
        pytest.param("b.csv", [*lines(on_day(1)), *[ALIKE] * 200], r"500 rows .*seen 40.0 %", id="beside good ones"),
        pytest.param("b.csv", [ALIKE] * 3, r"3 rows .*seen 100.0 %", id="as many as before, in a file of their own"),
        pytest.param("a.csv", [*lines(DAY), *[ALIKE] * 203], r"200 rows .*seen 100.0 %", id="behind those of before"),
    ],
)
def test_broken_rows_that_look_alike_are_all_on_the_budget(shop: Shop, name: str, rows: list[str], seen: str) -> None:
    alike = [*lines(DAY), *[ALIKE] * 3]
    assert _counts(shop.night("a.csv", alike)) == (303, 300, 3, 0)
    _touch(shop, "a.csv")
    assert _counts(shop.night()) == (303, 0, 0, 303)
    with pytest.raises(ContractViolationError, match=seen):
        shop.night(name, rows)
    assert len(_rows(shop.table("quarantine"))) == 3


def test_broken_rows_that_look_alike_are_in_quarantine_once_each_when_their_night_died(shop: Shop) -> None:
    shop.night("a.csv", [*lines(DAY), ALIKE])
    shop.write("b.csv", [*lines(on_day(1)), *[ALIKE] * 3])
    _die_between_the_commits(shop, on_day(1))
    assert _counts(shop.night()) == (303, 300, 3, 0)
    assert len(_rows(shop.table("quarantine"))) == 4


def test_a_row_that_keeps_its_contract_now_is_accepted_now(shop: Shop) -> None:
    long = f"{'u' * 300},i,{DAY}T00:00:00Z,1"
    assert shop.night("a.csv", [*lines(DAY), long]).quarantined == 1
    _touch(shop, "a.csv")
    generous = ValidationConfig(max_id_bytes=400)
    assert _counts(shop.night("b.csv", lines(on_day(1)), config=generous)) == (601, 301, 0, 300)


def test_nothing_but_repeats_opens_no_window_and_is_not_read_again(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    first = shop.night("a.csv", [*lines(DAY), *BROKEN])
    published = shop.files("tables/events"), shop.files("tables/quarantine")
    _touch(shop, "a.csv")
    with caplog.at_level(logging.INFO):
        again = shop.night()
    assert "No window is opened, and the champion stays; 0 rows wait for one" in caplog.text
    assert (again.window, again.truth) == (first.window, first.truth), "the newest window is what it was"
    assert _counts(again) == (303, 0, 0, 303)
    assert status(again.docs_uri) == "Succeeded"
    assert (shop.files("tables/events"), shop.files("tables/quarantine")) == published
    assert shop.files("staging") == []
    assert shop.stage().uri == "", "they are consumed"
    later = shop.night("b.csv", lines(on_day(1)))
    assert (later.truth, _counts(later)) == (2, (300, 300, 0, 0))


def test_nothing_but_repeats_gives_preprocess_nothing_to_do(shop: Shop, cluster: str) -> None:
    def build(validated: Validated) -> Night:
        held_out = HeldOut(min_targets=1, min_units=1)
        return build_night(shop.workspace, validated, held_out, FeatureConfig(), "nightly", cluster)

    first = build(shop.night("a.csv", lines(DAY) + lines(on_day(1))))
    _touch(shop, "a.csv")
    assert build(shop.night()) == first
    assert build(shop.night("b.csv", lines(on_day(2)))).windows[-1] == str(on_day(2))


def test_a_night_that_died_between_its_commits_ends_as_if_it_had_not(shop: Shop) -> None:
    undisturbed = shop.night("a.csv", [*lines(DAY), *BROKEN])
    rows = {name: _rows(shop.table(name)) for name in ("events", "quarantine")}
    shutil.rmtree(Path(shop.table("events").uri))
    files = shop.files("tables/quarantine")
    written = {file: file.stat().st_mtime_ns for file in files}
    shop.write("b.csv", lines(on_day(1)))
    assert shop.night() == undisturbed
    assert {name: _rows(shop.table(name)) for name in rows} == rows
    assert {file: file.stat().st_mtime_ns for file in shop.files("tables/quarantine")} == written
    assert _counts(shop.night()) == (300, 300, 0, 0)


def _die_between_the_commits(shop: Shop, through: date) -> None:
    """Run a night, and take its commit of `events` back."""
    log = Path(shop.table("events").uri) / "_delta_log"
    before = {file.name for file in log.iterdir()}
    shop.night(through=through)
    for file in [file for file in log.iterdir() if file.name not in before]:
        file.unlink()


@pytest.mark.parametrize("then", ["touched", "removed"])
def test_a_night_that_died_is_finished_with_the_files_that_are_left(shop: Shop, then: str) -> None:
    shop.night("a.csv", lines(DAY))
    shop.write("b.csv", lines(on_day(1)))
    shop.write("c.csv", [*lines(on_day(2)), f",i,{on_day(2)},1"])
    _die_between_the_commits(shop, on_day(2))
    _touch(shop, "c.csv") if then == "touched" else (shop.logs / "c.csv").unlink()
    finished = shop.night()
    assert (finished.window.last_day, _counts(finished)) == (on_day(1), (300, 300, 0, 0))
    after = shop.night("d.csv", lines(on_day(3)))
    assert _counts(after) == ((601, 600, 0, 1) if then == "touched" else (300, 300, 0, 0))
    assert len(_rows(shop.table("quarantine"))) == 1


def test_what_newer_settings_call_broken_when_a_night_is_finished_is_in_quarantine(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    shop.write("b.csv", [*lines(on_day(1)), f"{'u' * 20},i,{on_day(1)},1", f",i,{on_day(1)},1"])
    _die_between_the_commits(shop, on_day(1))
    strict = ValidationConfig(max_id_bytes=10)
    with pytest.raises(ContractError, match="rows read 303 is not"):
        shop.validate(_one_row_more(shop.stage()), strict)
    validated = shop.validate(shop.stage(), strict)
    assert _counts(validated) == (302, 300, 2, 0)
    kept = shop.table("quarantine").read()
    assert sorted(kept["rule"].to_pylist()) == ["user_id missing", "user_id too long"]
    assert (shop.table("events").read().num_rows, shop.table("quarantine").version()) == (600, 2)
    assert shop.stage().uri == ""


def test_a_log_that_is_written_all_day_is_taken_every_night(shop: Shop) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in (3, 2, 1)]
    for number, day in enumerate(days):
        whole = [line for one in days[: number + 1] for line in lines(one)]
        validated = shop.night("log.csv", whole + lines(day + timedelta(days=1), 30), through=day)
        assert (validated.window.last_day, validated.early, validated.quarantined) == (day, 30, 0)
        assert validated.accepted == (330 if number == 0 else 300)
    assert shop.table("events").read().num_rows == 930
    ahead = [f"u,i{n},{today + timedelta(days=2)},1" for n in range(30)]
    with pytest.raises(ContractViolationError, match="timestamp in the future: 30 rows"):
        shop.night("log.csv", whole + lines(today, 30) + ahead)


def test_a_night_that_died_and_lost_its_files_holds_nobody_up(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    shop.write("b.csv", [*lines(on_day(1), 100), f",i,{on_day(1)},1"])
    _die_between_the_commits(shop, on_day(1))
    elsewhere = (shop.logs / "b.csv").rename(shop.logs.parent / "b.csv")
    assert _counts(shop.night("c.csv", lines(on_day(2)))) == (300, 300, 0, 0)
    elsewhere.rename(shop.logs / "b.csv")
    late = shop.night()
    assert (late.window.last_day, _counts(late)) == (on_day(2), (101, 100, 0, 1))


def test_a_night_that_died_and_has_only_a_file_without_rows_left_is_over(shop: Shop) -> None:
    first = shop.night("a.csv", lines(DAY))
    shop.write("b.csv", lines(on_day(1)))
    shop.write("empty.csv", [])
    _die_between_the_commits(shop, on_day(1))
    (shop.logs / "b.csv").unlink()
    assert shop.night().window == first.window
    assert _counts(shop.night("c.csv", lines(on_day(2)))) == (300, 300, 0, 0)


def test_staged_files_that_are_gone_are_said_to_be(shop: Shop) -> None:
    shop.write("a.csv", lines(DAY))
    staged = shop.stage()
    shutil.rmtree(staged.uri)
    with pytest.raises(ContractError, match=r"staged rows are gone: there is nothing .*Start the night again"):
        shop.validate(staged)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("changed", r"changed after .*'000000-0000.arrow': sha256 is .*, wanted"),
        ("missing", r"changed after .*'000000-0000.arrow': missing"),
        ("unsealed", "gone"),
    ],
)
def test_staged_files_that_were_changed_are_refused_and_staged_again(shop: Shop, harm: str, said: str) -> None:
    shop.write("a.csv", lines(DAY))
    staged = shop.stage()
    part, index = Path(staged.uri) / "000000-0000.arrow", Path(staged.uri) / "index.json"
    match harm:
        case "changed":
            content = bytearray(part.read_bytes())
            content[len(content) // 2] ^= 1
            part.write_bytes(content)
        case "missing":
            part.unlink()
        case "unsealed":
            index.unlink()
    with pytest.raises(ContractError, match=rf"(?s)staged rows \w+ {said}.*Nothing was published"):
        shop.validate(staged)
    assert (shop.files("tables"), shop.files("staging")) == ([], [])
    assert shop.night().accepted == 300


def test_a_night_that_lost_a_row_is_refused_and_leaves_nothing(shop: Shop) -> None:
    shop.night("a.csv", lines(DAY))
    published = shop.files("tables")
    shop.write("b.csv", lines(DAY + timedelta(days=1)))
    staged = shop.stage()
    with pytest.raises(ContractError, match=r"rows read 301 is not accepted 300 \+ quarantined 0 \+ dropped 0 \+ rep"):
        shop.validate(_one_row_more(staged))
    assert (shop.files("tables"), shop.files("staging")) == (published, [])
