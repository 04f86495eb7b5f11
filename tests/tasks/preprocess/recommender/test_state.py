from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from data_contracts.night import Workspace
from data_contracts.recommender.state import STATE, merged
from data_contracts.table import Table
from tasks.preprocess.recommender.state import BEFORE, FILES, is_due
from tasks.preprocess.recommender.tables import Tables
from tests.tasks.preprocess.recommender.logs import publish, shop, workspace
from tests.tasks.preprocess.recommender.nights import build, publish_night


def _newest(home: Workspace, version: int | None = None) -> pl.DataFrame:
    rows = pl.DataFrame(Tables(home.tables).state.read(version))
    return merged(rows.lazy(), None).collect().sort("bucket", "user_id")


def test_what_a_night_adds_is_its_own_and_rows_that_were_overtaken_give_way(cluster: str, tmp_path: Path) -> None:
    home = workspace(tmp_path)
    rows = list[int]()
    for day in range(2, 12):
        new = shop(range(day + 1)) if day == 2 else shop([day])
        night = build(home, publish(home, new, range(day + 1) if day == 2 else [day]), cluster)
        table = pl.DataFrame(Tables(home.tables).state.read(night.tables["state"]))
        rows.append(table.height)
        of_tonight = table.filter(pl.col("window") == night.windows[-1])
        assert set(of_tonight["user_id"]) == set(shop([day])["user_id"])
        assert _newest(home)["user_id"].n_unique() == table["user_id"].n_unique()
        assert Tables(home.tables).users() == table["user_id"].n_unique()
    assert max(rows) <= 3 * table["user_id"].n_unique(), "twice as many when a night begins, and its own"
    counts = table.group_by("user_id").agg(pl.max("event_count"))["event_count"].sum()
    assert counts == 12 * 300, "no event is forgotten"


def test_a_table_is_rewritten_once_most_of_it_is_overtaken_or_lies_in_many_files() -> None:
    assert not is_due({"a": 100, "b": 100}, users=100, needed=1)
    assert is_due({"a": 100, "b": 101}, users=100, needed=1)
    many = {str(number): 1 for number in range(FILES + 3)}
    assert is_due(many, users=100, needed=2)
    assert not is_due(many, users=100, needed=3)


def test_histories_of_older_code_are_taken_along(cluster: str, tmp_path: Path) -> None:
    """A home as it was before there was `state`: every window's rows in `histories`, parted by window."""
    homes = [workspace(tmp_path / name) for name in ("old", "new")]
    for home in homes:
        build(home, publish_night(home, 0), cluster)
    old, new = homes
    histories = Table(old.tables, BEFORE)
    parts = histories.write(Tables(old.tables).state.read(), "night-000000-0000-of-0001")
    histories.commit(parts, ["events@0"], marks={"events": 0})
    shutil.rmtree(Path(old.tables, STATE.name))
    nights = [build(home, publish_night(home, 1), cluster) for home in homes]
    assert nights[0].windows == nights[1].windows
    assert _newest(old).equals(_newest(new))
    assert Tables(old.tables).users() == Tables(new.tables).users()
    examples = [pl.DataFrame(Tables(home.tables).examples.read()).sort("window", "user_id") for home in homes]
    assert examples[0].equals(examples[1])
