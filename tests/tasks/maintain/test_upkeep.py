from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

from data_contracts.night import Night, Workspace
from data_contracts.reading import ErasedError
from data_contracts.table import Table
from data_contracts.use_cases import promises
from data_contracts.version import NIGHT
from tasks.maintain.keep import kept_versions, registered_nights
from tasks.maintain.upkeep import keep_up, report
from tasks.tidy.config import KeepConfig
from tests.killing import Killed, killed_at
from tests.tasks.maintain.small import keep_small
from tests.tasks.preprocess.recommender.logs import publish, shop, workspace
from tests.tasks.preprocess.recommender.nights import build

KEEP = KeepConfig(versions_days=1)


def rows(home: Workspace, name: str, version: int | None = None) -> pl.DataFrame:
    """A table's rows, in some order."""
    return pl.DataFrame(table(home, name).read(version)).sort(pl.all())


def table(home: Workspace, name: str) -> Table:
    return Table(home.tables, promises("recommender").contracts[name])


def registered(home: Workspace, night: Night) -> None:
    """Register a version that was made of a night."""
    client = MlflowClient(home.tracking_uri, home.tracking_uri)
    client.create_registered_model(home.name)
    client.create_model_version(home.name, source="/nowhere", tags={NIGHT: night.model_dump_json()})


def nights(home: Workspace, cluster: str, days: range) -> list[Night]:
    """Do a night a day; the first takes three."""
    done = []
    for day in days:
        first = day == 2
        new = shop(range(3)) if first else shop([day])
        done.append(build(home, publish(home, new, range(3) if first else [day]), cluster))
    return done


def grown_old(home: Workspace) -> None:
    """Say of every commit so far that it is of the day before yesterday."""
    then = int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000)
    for log in Path(home.tables).rglob("*.json"):
        text = log.read_text(encoding="utf-8")
        start = text.find('"timestamp":')
        if start >= 0:
            end = start + len('"timestamp":')
            digits = len(text[end:]) - len(text[end:].lstrip("0123456789"))
            log.write_text(f"{text[:end]}{then}{text[end + digits :]}", encoding="utf-8")


@pytest.mark.slow
def test_files_become_few_and_versions_of_registered_models_stay_readable(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path).model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    _, second, third = nights(home, cluster, range(2, 5))
    registered(home, second)
    names = ("items", "examples", "item_counts", "events", "state")
    before = {name: rows(home, name) for name in names}
    of_second = {name: rows(home, name, second.tables[name]) for name in names}
    keep_up(home, KEEP, nullcontext, cluster)
    grown_old(home)
    nights(home, cluster, range(5, 6))
    done = {each.table: each for each in keep_up(home, KEEP, nullcontext, cluster)}
    assert done["items"].files[1] == 1
    assert next(report(list(done.values())))["table"] == "events"
    for name in names:
        assert rows(home, name, second.tables[name]).equals(of_second[name]), name
        now = rows(home, name)
        assert (
            name == "state"
            or now.join(before[name], on=now.columns, how="semi", nulls_equal=True).height == before[name].height
        )
    with pytest.raises(ErasedError, match=f"table 'items' version {third.tables['items']}"):
        rows(home, "items", third.tables["items"])
    assert [each.tables for each in registered_nights(home)] == [second.tables]
    last = nights(home, cluster, range(6, 7))[-1]
    assert last.windows[-1] == "2026-01-07"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["items", "examples"])
def test_upkeep_that_is_killed_is_finished_by_the_next(tmp_path: Path, cluster: str, name: str, moment: str) -> None:
    home = workspace(tmp_path)
    nights(home, cluster, range(2, 4))
    before = rows(home, name)
    with killed_at(f"{name} rewritten", moment), pytest.raises(Killed):
        keep_small(home, cluster)
    assert rows(home, name).equals(before)
    if moment == "before":
        left = [file for file in table(home, name).on_disk() if "-compacted-" in file]
        assert left
        assert not table(home, name).remove_orphans(), "a night that tidies up does not take away what upkeep writes"
    keep_small(home, cluster)
    assert rows(home, name).equals(before)
    files = table(home, name).on_disk()
    assert len([file for file in files if "-compacted-" in file]) == len(
        [file for file in table(home, name).file_rows() if "-compacted-" in file]
    )


@pytest.mark.slow
def test_rows_older_than_the_settings_say_go_and_the_next_night_is_unharmed(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path).model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    build(home, publish(home, shop(range(3)), range(3)), cluster)
    build(home, publish(home, shop([32]), [32]), cluster)
    events = table(home, "events")
    whole = sum(events.file_rows().values())
    keep = KeepConfig(days={"events": 30})
    done = {each.table: each for each in keep_up(home, keep, nullcontext, cluster)}
    assert done["events"].removed_rows == 3 * 300
    assert sum(events.file_rows().values()) == whole - 900
    assert events.partitions() == ["2026-02-02"]
    night = build(home, publish(home, shop([33]), [33]), cluster)
    assert night.windows[-1] == "2026-02-03"
    days = KeepConfig.model_validate({"days": {"examples": 40, "evnts": 40}})
    assert list(days.problems(promises("recommender"))) == [
        "keep.days names evnts, examples, and tables of rows from outside are events, quarantine"
    ]


def test_the_version_that_was_the_newest_so_long_ago_is_kept(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    nights(home, cluster, range(2, 4))
    items, promised = table(home, "items"), promises("recommender")
    assert kept_versions(home, promised, items, [], 1) == {0, 1}
    grown_old(home)
    assert kept_versions(home, promised, table(home, "items"), [], 1) == {1}
