"""However a log is split into nights, late and early rows included, it comes to the same as one backfill.

So it does with upkeep after any of the nights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data_contracts.night import HeldOut, Validated, Window, Workspace
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.state import merged
from data_contracts.table import Table
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.tables import Tables
from tests.tasks.maintain.small import keep_small
from tests.tasks.preprocess.recommender.logs import FIRST_DAY, Event, frame, workspace
from tests.tasks.preprocess.recommender.nights import build

FEATURES = FeatureConfig(max_length=60)
"""Longer than any history here: of what is forgotten nobody can tell a late event's place."""
HELD_OUT = HeldOut(min_targets=1, min_units=1)
DAYS = 6


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Event], list[int], set[int]]:
    """Draw events of some days, no two the same, and the night in which each comes: before its day, on it or later.

    And the nights that upkeep follows.
    """
    keys = st.tuples(st.integers(0, DAYS - 1), st.integers(0, 40), st.sampled_from("abcde"), st.sampled_from("uvwx"))
    drawn = draw(st.lists(keys, min_size=8, max_size=50, unique=True))
    # The first night must have something to judge, and something before that.
    base = [(0, 0, "a", "u"), (0, 1, "b", "u"), (1, 0, "c", "u"), (1, 1, "a", "u")]
    every = sorted({*base, *drawn})
    events = [Event(86_400 * day + 600 * at, item, "view", user) for day, at, item, user in every]
    nights = [1 if key in base else draw(st.integers(1, DAYS - 1)) for key in every]
    return events, nights, draw(st.sets(st.integers(1, DAYS - 1)))


def _publish(home: Workspace, events: Sequence[Event], last_day: int, first_day: int) -> Validated:
    """Commit events, and open the window of some days, as validate does."""
    table = Table(home.tables, EVENTS)
    rows = frame(events).with_columns(value=pl.lit(None, pl.Float32), day=pl.col("timestamp").dt.date())
    number = table.next_version()
    window = Window(first_day=FIRST_DAY + timedelta(first_day), last_day=FIRST_DAY + timedelta(last_day))
    marks = {"window": window.last_day.toordinal(), "published": number, "accepted": rows.height}
    version = table.commit(table.write(rows.to_arrow(), f"night-{number:06}-rows"), [f"file:{number}"], marks=marks)
    return Validated(truth=version, accepted=rows.height, window=window)


def _came_to(home: Workspace) -> tuple[Counter[tuple[object, ...]], list[dict[str, object]], set[str]]:
    """Return the targets, each user's state and the items, by ids."""
    tables = Tables(home.tables)
    items = pl.DataFrame(tables.items.read(columns=["item_id", "item_index"]))
    id_of = dict(zip(items["item_index"], items["item_id"], strict=True))
    assert sorted(id_of) == list(range(1, items.height + 1))
    examples = pl.DataFrame(tables.examples.read())
    lists = ["target", "target_event", "target_timestamp"]
    each = examples.select("user_id", *lists).explode(lists).rows()
    targets = Counter((user, id_of[item], kind, at) for user, item, kind, at in each)
    state = merged(pl.DataFrame(tables.state.read()).lazy(), FEATURES.max_seen).sort("user_id").collect()
    users = [
        {**row, **{name: [id_of[item] for item in row[name]] for name in ("items", "seen")}}
        for row in state.drop("window").iter_rows(named=True)
    ]
    return targets, users, set(items["item_id"])


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=logs())
def test_nights_one_by_one_come_to_the_same_as_one_backfill(
    cluster: str, tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[Event], list[int], set[int]]
) -> None:
    events, nights, upkept = drawn
    folder = tmp_path_factory.mktemp("splits")
    by_night, at_once = (workspace(folder / name) for name in ("nights", "once"))
    first = 0
    for night in range(1, DAYS):
        own = [event for event, number in zip(events, nights, strict=True) if number == night]
        validated = _publish(by_night, own, last_day=night, first_day=first)
        build(by_night, validated, cluster, held_out=HELD_OUT, features=FEATURES)
        if night in upkept:
            keep_small(by_night, cluster)
        first = night + 1
    validated = _publish(at_once, events, last_day=DAYS - 1, first_day=0)
    build(at_once, validated, cluster, held_out=HELD_OUT, features=FEATURES)
    seen, wanted = _came_to(by_night), _came_to(at_once)
    assert seen == wanted
    firsts = len({event.user_id for event in events})
    assert seen[0].total() == len(events) - firsts
    assert max(seen[0].values()) == 1
