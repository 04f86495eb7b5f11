from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.recommender.histories import BUCKETS
from tasks.preprocess.recommender.spread import Spread, bucket_of, count_users, may_hold, spread_by_user
from tasks.preprocess.truth import group_files
from tests.tasks.preprocess.recommender.logs import shop


@pytest.mark.parametrize("ranges", [1, 3, 700])
def test_every_row_is_found_again_in_the_range_of_its_user(tmp_path: Path, cluster: str, ranges: int) -> None:
    events = [shop([day], per_day=60) for day in range(3)]
    files = {}
    for day, rows in enumerate(events):
        file = str(tmp_path / f"{day}.parquet")
        rows.drop("bucket").write_parquet(file)
        files[file] = rows.height
    staging = tmp_path / "staging"
    with (
        Client(cluster, set_as_default=False) as client,
        spread_by_user(client, files, str(staging), ranges) as spread,
    ):
        found = [spread.read(number).collect() for number in range(ranges)]
    for number, rows in enumerate(found):
        low, high = spread.buckets(number)
        assert rows.filter(~pl.col("bucket").is_between(low, high - 1)).is_empty()
    columns = ["user_id", "item_id", "event", "timestamp", "bucket"]
    assert sorted(pl.concat(found).select(columns).iter_rows()) == sorted(pl.concat(events).select(columns).iter_rows())
    assert spread.rows == 180
    assert not staging.exists()


@given(st.integers(1, BUCKETS))
def test_ranges_hold_every_bucket_once(ranges: int) -> None:
    spread = Spread("", ranges, 0)
    bounds = [spread.buckets(number) for number in range(ranges)]
    assert [bucket for low, high in bounds for bucket in range(low, high)] == list(range(BUCKETS))
    assert all(bucket * ranges // BUCKETS == number for number, bound in enumerate(bounds) for bucket in range(*bound))


@given(st.integers(1, BUCKETS), st.integers(1, BUCKETS), st.data())
def test_a_range_opens_the_files_of_another_night_that_share_a_bucket_with_it(
    ranges: int, before: int, data: st.DataObject
) -> None:
    bounds = Spread("", ranges, 0).buckets(data.draw(st.integers(0, ranges - 1)))
    old = Spread("", before, 0)
    opened = [number for number in range(before) if may_hold(f"x/night-000001-{old.name(number)}.parquet", bounds)]
    assert opened == [number for number in range(before) if set(range(*old.buckets(number))) & set(range(*bounds))]
    assert may_hold("x/part-00001-compacted.zstd.parquet", bounds)


def test_users_are_counted_about_and_once_whatever_they_did(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{number}.parquet") for number in range(3)]
    for file in files:
        pl.DataFrame({"user_id": [f"user-{number % 5_000}" for number in range(20_000)]}).write_parquet(file)
    assert count_users(files) == pytest.approx(5_000, rel=0.1)


def test_files_are_grouped_alike_however_they_are_listed() -> None:
    files = {f"{name}.parquet": rows for name, rows in zip("abcde", (4, 6, 1, 25, 2), strict=True)}
    groups = [["a.parquet", "b.parquet"], ["c.parquet"], ["d.parquet"], ["e.parquet"]]
    assert group_files(files, 10) == group_files(dict(reversed(files.items())), 10) == groups


def test_a_users_bucket_stays_for_ever() -> None:
    """The numbers are written into tables: another hash would lose every history."""
    users = pl.DataFrame({"user_id": ["user-1", "user-2", "é", ""]})
    assert users.select(bucket_of("user_id")).to_series().to_list() == [1000, 489, 888, 409]
