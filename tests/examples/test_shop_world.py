from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from examples.shop_world import World, WorldConfig
from models.recommender.metrics import Flags, Floats, Numbers, rank_metrics

SMALL = WorldConfig(users=40, items=100)
VIEWS = pl.col("event") == "view"


def test_one_seed_makes_one_world_and_another_another() -> None:
    one, same, other = World(SMALL), World(SMALL), World(SMALL.model_copy(update={"seed": 2}))
    for _ in range(3):
        first, second, third = one.next_day(), same.next_day(), other.next_day()
        assert first.equals(second)
        assert not first.equals(third)


def test_a_day_is_enough_to_judge_on(week: pl.DataFrame) -> None:
    days = week.group_by("day").agg(
        pl.len().alias("events"),
        pl.count("rank").alias("targets"),
        pl.col("user").n_unique().alias("users"),
    )
    assert days["events"].is_between(8_000, 10_000).all()
    assert (days["targets"] >= 1_000).all()
    assert (days["users"] >= 100).all()


def test_a_visit_ends_on_its_day_and_never_takes_two_steps_at_once(week: pl.DataFrame) -> None:
    since_first_day = (pl.col("timestamp") - datetime(2026, 1, 1, tzinfo=UTC)).dt.total_days()
    assert week.select((since_first_day == pl.col("day") - 1).all()).item()
    assert not week.select("user", "timestamp").is_duplicated().any()


def test_nobody_looks_at_an_item_twice_and_carts_and_buys_repeat_a_view(week: pl.DataFrame) -> None:
    assert not week.filter(VIEWS).select("user", "item").is_duplicated().any()
    steps = week.sort("user", "timestamp").with_columns(
        before=pl.col("event").shift(1).over("user"), item_before=pl.col("item").shift(1).over("user")
    )
    again = steps.filter(~VIEWS)
    assert (again["item"] == again["item_before"]).all()
    assert set(again.select("before", "event").unique().rows()) == {("view", "cart"), ("cart", "buy")}
    assert (again["value"] > 0).all()
    assert 0.1 < len(again) / len(week) < 0.25


def test_only_a_users_first_event_and_repeats_are_no_targets(week: pl.DataFrame) -> None:
    is_first = pl.int_range(pl.len()).over("user", order_by="timestamp") == 0
    assert week.select((pl.col("rank").is_not_null() == (VIEWS & ~is_first)).all()).item()


def test_new_items_and_new_users_come_every_day(week: pl.DataFrame) -> None:
    for column, least, most in (("item", 1, 10), ("user", 20, 120)):
        first = week.group_by(column).agg(pl.col("day").min())
        newcomers = first.filter(pl.col("day") > 3).group_by("day").len()["len"]
        assert len(newcomers) == 5
        assert newcomers.is_between(least, most).all()


def test_tastes_drift_but_last_the_week() -> None:
    world = World(WorldConfig())
    world.next_day()
    before = world.taste_US
    for _ in range(7):
        world.next_day()
    likeness = np.corrcoef(before.ravel(), world.taste_US[: len(before)].ravel())[0, 1]
    assert 0.75 < likeness < 0.97


def test_customers_of_a_small_shop_never_run_out_of_items() -> None:
    world = World(SMALL)
    views = pl.concat([world.next_day() for _ in range(90)]).filter(VIEWS).group_by("user").len()
    assert len(views) > 100
    assert (views["len"] > 60).any()


@pytest.mark.parametrize("day", [7, 8])
def test_what_is_best_reachable_is_far_above_markov_and_popularity(week: pl.DataFrame, day: int) -> None:
    events = week.filter(pl.col("day") <= day)
    targets = events.filter(pl.col("day") == day).drop_nulls("rank")
    best = rank_metrics(targets["rank"].cast(pl.Float64).to_numpy(), targets["user"].to_numpy())["hr@10"]
    popularity, markov = _counted(events, day)
    assert 0.6 < best < 0.9
    assert popularity <= 0.3 * best
    assert popularity < markov <= 0.7 * best


def _counted(events: pl.DataFrame, day: int) -> tuple[float, float]:
    """HR@10 of popularity and of first-order Markov on ``day``, counted on the days before."""
    events = events.sort("user", "timestamp").with_columns(before=pl.col("item").shift(1, fill_value=-1).over("user"))
    user, item, before = (events[name].to_numpy() for name in ("user", "item", "before"))
    learned = (events["day"] < day).to_numpy()
    moved = learned & (before >= 0)
    popularity = np.bincount(item[learned], minlength=item.max() + 1).astype(np.float64)
    markov = np.tile(popularity / (popularity.max() + 1), (len(popularity), 1))
    np.add.at(markov, (before[moved], item[moved]), 1)
    first_met = np.full((user.max() + 1, len(popularity)), len(events))
    np.minimum.at(first_met, (user, item), np.arange(len(events)))
    judged = np.flatnonzero(((events["day"] == day) & events["rank"].is_not_null()).to_numpy())
    seen = first_met[user[judged]] < judged[:, None]
    return (
        _hit_rate(np.broadcast_to(popularity, seen.shape), seen, item[judged], user[judged]),
        _hit_rate(markov[before[judged]], seen, item[judged], user[judged]),
    )


def _hit_rate(scores: Floats, seen: Flags, item: Numbers, user: Numbers) -> float:
    of_item = np.take_along_axis(scores, item[:, None], axis=1)
    better = ((scores > of_item) & ~seen).sum(axis=1)
    equal = ((scores == of_item) & ~seen).sum(axis=1) - 1
    return rank_metrics(better + equal / 2, user)["hr@10"]
