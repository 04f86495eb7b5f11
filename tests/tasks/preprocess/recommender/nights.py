"""Nights on made-up events, and what they must come to."""

from __future__ import annotations

import polars as pl

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.preprocess.recommender.ranges import ROWS_PER_TASK
from tasks.preprocess.recommender.tables import Tables
from tests.tasks.preprocess.recommender.logs import publish, shop

COMMITS = ("items", "item_counts", "examples", "state")
FEATURES = FeatureConfig(max_length=8)
HELD_OUT = HeldOut(min_targets=100, min_units=10)


def build(
    home: Workspace,
    validated: Validated,
    cluster: str,
    *,
    held_out: HeldOut = HELD_OUT,
    features: FeatureConfig = FEATURES,
    protocol: Protocol = "nightly",
    rows_per_task: int = ROWS_PER_TASK,
) -> Night:
    """Build a night as most tests do."""
    return build_night(home, validated, held_out, features, protocol, cluster, rows_per_task=rows_per_task)


def late(day: int) -> pl.DataFrame:
    """A few events of a day gone by."""
    return shop([day], per_day=20, seed=1)


def publish_night(home: Workspace, number: int) -> Validated:
    """Publish the first night's events, or the second's: one more day, with late events."""
    if number:
        return publish(home, pl.concat([shop([4]), late(3)]), [4])
    return publish(home, shop(range(4)), range(4))


def rows(home: Workspace, night: Night) -> dict[str, pl.DataFrame]:
    """Rows of every table, in one order however many files hold them."""
    tables = Tables(home.tables)
    order = {
        "items": ["item_index"],
        "item_counts": ["window", "item_index"],
        "examples": ["window", "bucket", "user_id", "target_timestamp"],
        "state": ["window", "bucket", "user_id"],
    }
    return {
        name: pl.DataFrame(getattr(tables, name).read(night.tables[name])).sort(keys, maintain_order=True)
        for name, keys in order.items()
    }


def assert_equal(seen: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> None:
    """Every table has the same rows."""
    for table, frame in wanted.items():
        assert seen[table].equals(frame), table


def orphans(home: Workspace) -> dict[str, dict[str, int]]:
    """Remove the files that no table refers to."""
    tables = Tables(home.tables)
    return {name: getattr(tables, name).remove_orphans() for name in COMMITS}
