from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from data_contracts.night import HeldOut, Night, Validated, Workspace
from data_contracts.risk.examples import FEATURES
from data_contracts.risk.measures import measured
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past
from data_contracts.risk.sums import NAMES
from tasks.preprocess.errors import (
    NoNewEventsError,
    OtherFeaturesError,
    OutOfOrderError,
    RowsLostError,
    TooFewTargetsError,
)
from tasks.preprocess.risk import night as night_module
from tasks.preprocess.risk.config import FeatureConfig
from tasks.preprocess.risk.night import build_night
from tasks.preprocess.risk.tables import Tables
from tests.killing import Killed, Moment, killed_at
from tests.tasks.preprocess.risk.nights import (
    A_DAY,
    COMMITS,
    HELD_OUT,
    build,
    day,
    deals,
    publish,
    publish_night,
    rows,
    workspace,
)

pytestmark = pytest.mark.slow


class TwoNights(NamedTuple):
    """Two nights that nothing disturbed."""

    home: Workspace
    validated: list[Validated]
    nights: list[Night]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> TwoNights:
    home = workspace(tmp_path_factory.mktemp("undisturbed"))
    validated, nights = [], []
    for number in range(2):
        validated.append(publish_night(home, number))
        nights.append(build(home, validated[-1], cluster))
    return TwoNights(home, validated, nights)


def test_the_first_night_holds_out_whole_days_with_labels_enough(undisturbed: TwoNights) -> None:
    home, _, (first, _) = undisturbed
    examples = rows(home, first)["examples"]
    assert first.windows == (day(3).isoformat(), day(5).isoformat())
    assert examples.group_by("window").len().sort("window")["len"].to_list() == [4 * A_DAY, 2 * A_DAY]
    labelled = examples.filter(pl.col("window") == first.windows[1])["label"].count()
    assert 90 <= labelled < 2 * A_DAY, "some have no label yet, and are not among those that judge"


def test_a_second_night_adds_its_window_with_what_came_late_and_moves_nothing(undisturbed: TwoNights) -> None:
    home, _, (first, second) = undisturbed
    before, after = rows(home, first), rows(home, second)
    assert second.windows == (*first.windows, day(6).isoformat())
    assert after["parties"].filter(pl.col("number") <= before["parties"].height).equals(before["parties"])
    for table in ("pairs", "party_days", "examples"):
        assert after[table].filter(pl.col("window") < second.windows[-1]).equals(before[table]), table
    newest = after["examples"].filter(pl.col("window") == second.windows[-1])
    assert newest.group_by(pl.col("happened_at").dt.date()).len().sort("happened_at")["len"].to_list() == [5, A_DAY]


def test_sums_are_those_of_all_transactions(undisturbed: TwoNights) -> None:
    home, _, (_, second) = undisturbed
    tables = rows(home, second)
    everybody = tables["party_days"].filter(pl.col("party") == EVERYBODY)
    taken = pl.concat([deals(range(7)), deals([4], count=5, seed=9)])
    assert everybody["count"].sum() == taken.height
    assert everybody["labelled"].sum() == taken["label"].count()
    assert everybody["bad"].sum() == taken["label"].sum()
    assert everybody["outcome"].sum() == pytest.approx(taken["outcome"].sum())
    single = tables["party_days"].filter(pl.col("party") != EVERYBODY)
    for name in NAMES:
        assert single[name].sum() == pytest.approx(2 * tables["pairs"][name].sum()), name


def test_examples_are_what_was_known_the_day_before_whichever_night_they_came_in(undisturbed: TwoNights) -> None:
    """But for what came late after them: of that nobody knew."""
    home, _, (first, second) = undisturbed
    for night in (first, second):
        tables = rows(home, night)
        own = tables["examples"].filter(pl.col("window") == night.windows[-1])
        asked = own.with_columns(day=pl.col("happened_at").dt.date(), amount=_amount(own))
        wanted = measured(asked, Past(tables["party_days"]), Pairs(tables["pairs"]))
        for name in FEATURES:
            assert own[name].to_list() == pytest.approx(wanted[name].to_list(), abs=1e-5), name


def _amount(examples: pl.DataFrame) -> pl.Series:
    """Every made-up amount is above 0."""
    return examples.select(pl.col("size").cast(pl.Float64).exp() - 1).to_series()


def test_a_night_run_twice_commits_nothing_and_returns_the_same_record(undisturbed: TwoNights, cluster: str) -> None:
    home, validated, nights = undisturbed
    files = sorted(Path(home.tables).rglob("*"))
    assert build(home, validated[1], cluster, HeldOut(min_targets=1, min_units=1)) == nights[1]
    assert sorted(Path(home.tables).rglob("*")) == files


def visible(home: Workspace) -> dict[str, tuple[int, int, bytes]]:
    """Return every committed file: which one it is, when it was written, and what is in it."""
    files = [Path(file) for name in COMMITS for file in getattr(Tables(home.tables), name).file_rows()]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes()) for file in files}


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
        before = visible(home)
        assert build(home, validated, cluster) == wanted
        assert visible(home).items() >= before.items(), "files that were committed were written again"
    seen, wanted_rows = (rows(each, undisturbed.nights[1]) for each in (home, undisturbed.home))
    for table in COMMITS:
        assert seen[table].equals(wanted_rows[table]), table
        assert not getattr(Tables(home.tables), table).remove_orphans(), "the rerun wrote files under other names"


def test_a_night_that_was_broken_off_is_finished_before_the_next_one(
    undisturbed: TwoNights, cluster: str, tmp_path: Path
) -> None:
    home = workspace(tmp_path)
    with pytest.raises(Killed), killed_at("parties", "after"):
        build(home, publish_night(home, 0), cluster)
    assert build(home, publish_night(home, 1), cluster, HeldOut(min_targets=200)) == undisturbed.nights[1]


def test_examples_that_are_written_in_many_tasks_are_the_same(
    undisturbed: TwoNights, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(night_module, "ROWS_PER_TASK", 100)
    home = workspace(tmp_path)
    night = build(home, publish_night(home, 0), cluster)
    assert len(Tables(home.tables).examples.file_rows()) > 2
    assert rows(home, night)["examples"].equals(rows(undisturbed.home, undisturbed.nights[0])["examples"])


def test_numbers_that_come_later_are_known_from_then_on_and_must_stay_as_many(cluster: str, tmp_path: Path) -> None:
    home = workspace(tmp_path)
    build(home, publish_night(home, 0), cluster)
    numbers = pl.lit([1.5, None], pl.List(pl.Float32))
    night = build(home, publish(home, deals([6]).with_columns(numbers=numbers), [6]), cluster)
    *_, newest = night.windows
    examples = rows(home, night)["examples"].group_by("window").agg(pl.col("numbers").unique())
    seen = dict(examples.rows())
    assert seen.pop(newest) == [[1.5, None]]
    assert set(map(repr, seen.values())) == {"[None]"}
    assert Tables(home.tables).examples.mark("numbers") == 2
    longer = publish(home, deals([7]).with_columns(numbers=pl.lit([1, 2, 3], pl.List(pl.Float32))), [7])
    with pytest.raises(OtherFeaturesError, match="3 in 60 rows as `numbers`, those before 2"):
        build(home, longer, cluster)


def test_what_cannot_become_a_night_is_refused(undisturbed: TwoNights, cluster: str, tmp_path: Path) -> None:
    home, validated, _ = undisturbed
    with pytest.raises(OtherFeaturesError, match="features go by days"):
        build_night(home, validated[1], HELD_OUT, FeatureConfig(), "leave_one_out", cluster)
    with pytest.raises(OutOfOrderError, match="version 0 was asked for, but the tables have version 1"):
        build(home, validated[0], cluster)
    small = workspace(tmp_path / "small")
    with pytest.raises(TooFewTargetsError, match="Wanted at the end whole days with 900 of them"):
        build(small, publish_night(small, 0), cluster, HeldOut(min_targets=900))
    none = workspace(tmp_path / "none")
    with pytest.raises(NoNewEventsError, match="holds no rows"):
        build(none, publish(none, deals([0]).clear(), [0]), cluster)
    lost = workspace(tmp_path / "lost")
    told = publish(lost, deals(range(3)), range(3))
    table = Tables(lost.tables).transactions
    table.commit([], ["file:more"], marks={"rows": 999})
    with pytest.raises(RowsLostError, match="published 999 rows up to version 1, its files have 180"):
        build(lost, told.model_copy(update={"truth": 1}), cluster)
