from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.buckets import BUCKETS, Buckets, among, bucket_of, buckets_of, key_of, parted, weight_of
from data_contracts.recommender.events import EVENTS
from data_contracts.vision.images import IMAGES

BOUNDS = st.lists(st.integers(0, BUCKETS), min_size=2, max_size=2, unique=True).map(sorted)
SPANS = BOUNDS.map(lambda bounds: Buckets(first=bounds[0], end=bounds[1]))
WEIGHTS = st.dictionaries(SPANS, st.integers(0, 10_000), max_size=12)


@given(weights=WEIGHTS, most=st.integers(1, 5_000), least=st.integers(1, 8))
def test_every_bucket_is_in_one_range_and_none_is_heavier_than_asked_but_for_single_buckets(
    weights: dict[Buckets, int], most: int, least: int
) -> None:
    ranges = parted(weights, most, least)
    assert [bucket for each in ranges for bucket in range(each.first, each.end)] == list(range(BUCKETS))
    heavy = [each for each in ranges if weight_of(each, weights) > most + 1]
    assert all(each.end - each.first == 1 or weight_of(each, weights) <= 2 * most for each in heavy)
    assert sum(weight_of(each, weights) for each in ranges) == pytest.approx(sum(weights.values()))


@given(cells=st.sampled_from([1, 4, 32]), most=st.integers(100, 2_000))
def test_ranges_keep_the_bounds_of_what_is_there(cells: int, most: int) -> None:
    width = BUCKETS // cells
    weights = {Buckets(first=first, end=first + width): 50 for first in range(0, BUCKETS, width)}
    assert all(each.first % width == each.end % width == 0 for each in parted(weights, most))


def test_so_many_workers_have_something_to_do() -> None:
    assert len(parted({Buckets(): 100}, most=1_000, least=2)) == 2
    assert parted({}, most=1_000, least=2) == [Buckets()]


@given(own=SPANS, other=SPANS)
def test_a_file_is_opened_by_those_who_share_a_bucket_with_it(own: Buckets, other: Buckets) -> None:
    file = f"x/day=2026-01-01/night-000001-0123456789abcdef-{other.name}.parquet"
    assert buckets_of(file) == buckets_of(file.replace(".parquet", ".3.parquet")) == other
    shared = set(range(own.first, own.end)) & set(range(other.first, other.end))
    assert among([file], own) == ([file] if shared else [])
    assert own.contains(other) == (shared == set(range(other.first, other.end)))


@pytest.mark.parametrize("name", ["part-00001-compacted.zstd.parquet", "night-000003-0001-of-0016.parquet"])
def test_a_file_that_is_not_named_after_buckets_may_hold_any(name: str) -> None:
    assert buckets_of(f"x/{name}") == Buckets()


def test_a_users_bucket_stays_for_ever() -> None:
    """The numbers are written into tables: another hash would lose every history."""
    users = pl.DataFrame({"user_id": ["user-1", "user-2", "é", ""]})
    assert users.select(bucket_of("user_id")).to_series().to_list() == [1000, 489, 888, 409]


def test_rows_go_by_the_first_column_that_none_may_be_without() -> None:
    assert (key_of(EVENTS), key_of(IMAGES)) == ("user_id", "image")
