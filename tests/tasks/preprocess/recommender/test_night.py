from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from data_contracts.buckets import buckets_of
from data_contracts.night import HeldOut, Night, Validated, Window, Workspace
from data_contracts.table import Table
from tasks.preprocess.errors import (
    NoNewEventsError,
    OtherFeaturesError,
    OutOfOrderError,
    RowsLostError,
    TooFewTargetsError,
)
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.tables import Tables
from tests.killing import Killed, Moment, killed_at
from tests.tasks.preprocess.recommender.logs import FIRST_DAY, Event, frame, publish, shop, workspace
from tests.tasks.preprocess.recommender.nights import (
    COMMITS,
    FEATURES,
    assert_equal,
    build,
    late,
    orphans,
    publish_night,
    rows,
)

pytestmark = pytest.mark.slow


class TwoNights(NamedTuple):
    """Two nights that nothing disturbed: what was validated, and their records."""

    home: Workspace
    validated: list[Validated]
    nights: list[Night]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> TwoNights:
    """Two nights: the past and its held-out end; then one more day."""
    home = workspace(tmp_path_factory.mktemp("undisturbed"))
    validated, nights = [], []
    for number in range(2):
        validated.append(publish_night(home, number))
        nights.append(build(home, validated[-1], cluster))
    return TwoNights(home, validated, nights)


def copy(home: Workspace, folder: Path) -> Workspace:
    shutil.copytree(home.home, folder / "copy")
    return workspace(folder / "copy")


def test_a_first_night_makes_a_past_and_a_window_that_judges(
    undisturbed: TwoNights,
) -> None:
    home, _, (night, _) = undisturbed
    last_day = FIRST_DAY + timedelta(3)
    assert night == Night(
        window=Window(first_day=last_day, last_day=last_day),
        windows=("2026-01-03", "2026-01-04"),
        tables=dict.fromkeys(("events", *COMMITS), 0),
    )
    tables = rows(home, night)
    firsts = shop(range(4))["user_id"].n_unique()
    assert tables["examples"]["target"].list.len().sum() == 4 * 300 - firsts
    assert tables["item_counts"]["count"].sum() == 4 * 300
    assert tables["state"].unique("user_id", keep="last", maintain_order=True)["event_count"].sum() == 4 * 300
    assert set(tables["items"]["item_id"]) == set(shop(range(4))["item_id"])
    assert not Path(home.staging).exists() or not list(Path(home.staging).iterdir())


def test_a_second_night_adds_its_window_and_moves_nothing(
    undisturbed: TwoNights,
) -> None:
    home, _, (first, second) = undisturbed
    assert second.windows == (*first.windows, "2026-01-05")
    assert second.window == Window(first_day=FIRST_DAY + timedelta(4), last_day=FIRST_DAY + timedelta(4))
    before, after = rows(home, first), rows(home, second)
    assert after["items"].head(before["items"].height).equals(before["items"])
    for table in ("item_counts", "examples", "state"):
        assert after[table].filter(pl.col("window") < "2026-01-05").equals(before[table])
    events = pl.concat([shop(range(5)), late(3)])
    newest = after["state"].unique("user_id", keep="last", maintain_order=True)
    counted = events.group_by("user_id").len().sort("user_id")
    assert newest.sort("user_id")["event_count"].to_list() == counted["len"].to_list()
    of_night = after["item_counts"].filter(pl.col("window") == "2026-01-05")
    assert of_night["count"].sum() == 320


def test_a_night_run_twice_commits_nothing_and_returns_the_same_record(undisturbed: TwoNights, cluster: str) -> None:
    home, validated, nights = undisturbed
    files = sorted(Path(home.tables).rglob("*"))
    assert build(home, validated[1], cluster, held_out=HeldOut(min_targets=1, min_units=1)) == nights[1]
    assert sorted(Path(home.tables).rglob("*")) == files


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("point", COMMITS)
def test_nights_killed_at_a_commit_are_finished_by_a_rerun(
    undisturbed: TwoNights, cluster: str, tmp_path: Path, point: str, moment: Moment
) -> None:
    home = workspace(tmp_path)
    for number, wanted in enumerate(undisturbed.nights):
        validated = publish_night(home, number)
        with pytest.raises(Killed), killed_at(point, moment):
            build(home, validated, cluster)
        assert build(home, validated, cluster) == wanted
    assert_equal(rows(home, undisturbed.nights[1]), rows(undisturbed.home, undisturbed.nights[1]))
    assert not list(Path(home.staging).iterdir())
    assert not any(orphans(home).values()), "the rerun wrote files under other names"


def test_a_night_that_was_broken_off_is_finished_before_the_next_one(
    undisturbed: TwoNights, cluster: str, tmp_path: Path
) -> None:
    """The first night is killed after its first commit, and the second starts: all is as if nothing had happened."""
    home = workspace(tmp_path)
    with pytest.raises(Killed), killed_at("items", "after"):
        build(home, publish_night(home, 0), cluster)
    other_end = HeldOut(min_targets=400, min_units=10)
    assert build(home, publish_night(home, 1), cluster, held_out=other_end) == undisturbed.nights[1]
    assert_equal(rows(home, undisturbed.nights[1]), rows(undisturbed.home, undisturbed.nights[1]))


def test_a_missed_night_is_caught_up_in_one_window(undisturbed: TwoNights, cluster: str, tmp_path: Path) -> None:
    later = copy(undisturbed[0], tmp_path)
    publish(later, shop([5]), [5])
    night = build(later, publish(later, shop([6]), [6]), cluster)
    assert night.window == Window(first_day=FIRST_DAY + timedelta(5), last_day=FIRST_DAY + timedelta(6))
    assert night.windows[-2:] == ("2026-01-05", "2026-01-07")
    counts = rows(later, night)["item_counts"].filter(pl.col("window") == "2026-01-07")
    assert counts["count"].sum() == 600


def test_a_night_is_cut_in_as_many_ranges_as_its_own_users_need_however_many_windows_they_have(
    undisturbed: TwoNights, cluster: str, tmp_path: Path
) -> None:
    later = copy(undisturbed.home, tmp_path)
    before = Tables(later.tables).state.file_rows()
    new = shop([5])
    build(later, publish(later, new, [5]), cluster, rows_per_task=100)
    new_files = Tables(later.tables).state.file_rows().keys() - before
    ranges = {buckets_of(file) for file in new_files if "/night-" in file}
    users = new["user_id"].n_unique()
    assert sum(before.values()) > 2 * users
    wanted = (new.height + users * FEATURES.max_length) / 100
    assert wanted - 1 <= len(ranges) <= 2 * wanted


def test_a_user_with_more_events_than_a_task_may_hold_loses_none_of_them(cluster: str, tmp_path: Path) -> None:
    """Two nights; in the second the robot's events lie among those remembered of others."""
    houses = [workspace(tmp_path / name) for name in ("whole", "segments")]
    robots = [
        frame(Event(86_400 * day + 20 * at, f"item-{at % 37}", "view", "robot") for at in range(2_000))
        for day in (3, 4)
    ]
    tables = []
    for home, rows_per_task in zip(houses, (1_000_000, 600), strict=True):
        build(
            home, publish(home, pl.concat([shop(range(4)), robots[0]]), range(4)), cluster, rows_per_task=rows_per_task
        )
        second = publish(home, pl.concat([shop([4]), late(3), robots[1]]), [4])
        tables.append(rows(home, build(home, second, cluster, rows_per_task=rows_per_task)))
    whole, segments = tables
    assert any(file.endswith(".1.parquet") for file in Tables(houses[1].tables).examples.file_rows()), (
        "one segment only"
    )
    for table in ("items", "item_counts", "state"):
        assert segments[table].equals(whole[table]), table
    lists = ["target", "target_event", "target_timestamp"]
    targets = [
        examples.select("window", "user_id", *lists).explode(lists).sort(pl.all())
        for examples in (whole["examples"], segments["examples"])
    ]
    assert targets[0].equals(targets[1])
    length = segments["examples"].select(pl.col("context").list.len() + pl.col("target").list.len())
    assert length.to_series().max() == 9


def test_leave_one_out_takes_empty_tables_only(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(5)), range(4))  # the last day is not complete, and counts all the same
    night = build(home, validated, cluster, protocol="leave_one_out")
    assert night.windows == ("loo-1-train", "loo-2-validation", "loo-3-test")
    assert (night.protocol, night.window.last_day) == ("leave_one_out", validated.window.last_day + timedelta(days=1))
    examples = rows(home, night)["examples"]
    users = shop(range(5)).group_by("user_id").len()
    for window, least in (("loo-3-test", 2), ("loo-2-validation", 3)):
        targets = examples.filter(pl.col("window") == window)["target"].list.len()
        assert targets.to_list() == [1] * users.filter(pl.col("len") >= least).height
    assert build(home, validated, cluster, protocol="leave_one_out") == night
    with pytest.raises(OtherFeaturesError, match="protocol 'nightly' was asked for"):
        build(home, validated, cluster)
    with pytest.raises(OtherFeaturesError, match="takes empty tables only"):
        build(home, publish(home, shop([5]), [5]), cluster, protocol="leave_one_out")


def test_what_would_mix_two_ways_of_making_the_tables_is_refused(undisturbed: TwoNights, cluster: str) -> None:
    home, validated, _ = undisturbed
    with pytest.raises(OtherFeaturesError, match=r"(?s)max_length: the tables have 8, .* say 9.*max_seen: .* 2,000"):
        build(home, validated[1], cluster, features=FeatureConfig(max_length=9, max_seen=7))
    with pytest.raises(OutOfOrderError, match="version 0 was asked for, but the tables have version 1"):
        build(home, validated[0], cluster)
    with pytest.raises(OtherFeaturesError, match="takes empty tables only"):
        build(home, validated[1], cluster, protocol="leave_one_out")


def test_a_first_night_on_movielens_holds_out_its_end(real_data: Path, tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    logs = pl.read_csv(real_data / "ml-100k.inter", separator="\t", infer_schema=False)
    day_one = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp()
    events = frame(
        Event(int(float(second) - day_one), item, "rating", user) for user, item, _, second in logs.iter_rows()
    )
    days = [
        (day - FIRST_DAY).days for day in (events["timestamp"].dt.date().min(), events["timestamp"].dt.date().max())
    ]
    night = build(home, publish(home, events, days), cluster, held_out=HeldOut())
    tables = rows(home, night)
    assert (tables["items"].height, tables["item_counts"]["count"].sum()) == (1_682, 100_000)
    targets = tables["examples"].group_by("window").agg(pl.col("target").list.len().sum(), pl.n_unique("user_id"))
    past, held_out = targets.sort("window").iter_rows()
    assert past[1] + held_out[1] == 100_000 - 943
    assert (held_out[1] >= 1_000, held_out[2] >= 100) == (True, True)


def test_logs_too_small_for_a_first_night_publish_nothing(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(2), per_day=5), range(2))
    with pytest.raises(TooFewTargetsError, match=r"held_out.min_targets and held_out.min_units"):
        build(home, validated, cluster)
    assert [path.name for path in Path(home.tables).iterdir()] == ["events"]


def test_a_version_of_the_events_that_brings_no_rows_changes_nothing(
    undisturbed: TwoNights, cluster: str, tmp_path: Path
) -> None:
    home, _, nights = undisturbed
    repeated = copy(home, tmp_path)
    files = sorted(Path(repeated.tables, "state").rglob("*"))
    assert build(repeated, publish(repeated, shop([]), [9]), cluster) == nights[1]
    assert sorted(Path(repeated.tables, "state").rglob("*")) == files
    assert build(repeated, publish(repeated, shop([5]), [5]), cluster).windows[-1] == "2026-01-06"


def test_events_of_days_after_the_window_wait_for_their_own(
    undisturbed: TwoNights, cluster: str, tmp_path: Path
) -> None:
    """The fifth day's events come with the first four days'; then only the late ones are left to come."""
    home = workspace(tmp_path)
    first = build(home, publish(home, shop(range(5)), range(4)), cluster)
    assert_equal(rows(home, first), rows(undisturbed.home, undisturbed.nights[0]))
    second = build(home, publish(home, late(3), [4]), cluster)
    assert second.windows == undisturbed.nights[1].windows
    assert_equal(rows(home, second), rows(undisturbed.home, undisturbed.nights[1]))


def test_the_folder_of_a_home_may_look_like_a_pattern_or_a_partition(cluster: str, tmp_path: Path) -> None:
    home = workspace(tmp_path / "br [x]" / "window=1")
    for number in range(2):
        night = build(home, publish_night(home, number), cluster)
    assert night.windows == ("2026-01-03", "2026-01-04", "2026-01-05")


def test_fewer_events_than_were_published_stop_the_night(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(4)), range(4))
    events = Tables(home.tables).events
    events.commit([], ["file:more"], marks={"rows": 1_201, "published": 1})
    with pytest.raises(RowsLostError, match="validate published 1,201 rows up to version 1, its files have 1,200"):
        build(home, validated.model_copy(update={"truth": 1}), cluster)


def test_a_first_night_without_events_is_refused(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    with pytest.raises(NoNewEventsError, match="version 0 holds no rows"):
        build(home, publish(home, shop([]), [0]), cluster)


def test_a_night_whose_events_are_fewer_than_were_accepted_publishes_no_examples(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(4)), range(4))
    file = min(Tables(home.tables).events.file_rows())
    rows = pl.read_parquet(file, hive_partitioning=False)
    rows.head(rows.height - 1).write_parquet(file)
    with pytest.raises(RowsLostError, match="1,199 events reached a window, wanted 1,200"):
        build(home, validated, cluster)
    assert Tables(home.tables).examples.version() is None
    rows.write_parquet(file)
    assert build(home, validated, cluster).windows == ("2026-01-03", "2026-01-04")


def test_events_that_were_rewritten_are_refused(undisturbed: TwoNights, cluster: str, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    compacted = copy(undisturbed[0], tmp_path)
    table = Table(compacted.tables, Tables(compacted.tables).events.contract)
    DeltaTable(table.uri).optimize.compact()
    validated = publish(compacted, shop([5]), [5])
    with pytest.raises(OutOfOrderError, match=r"\.parquet: its name does not say with which night its rows came"):
        build(compacted, validated, cluster)
