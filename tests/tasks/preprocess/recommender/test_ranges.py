from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data_contracts.buckets import Buckets, bucket_of
from tasks.preprocess.recommender.ranges import ranges
from tasks.preprocess.truth import group_files
from tests.tasks.preprocess.recommender.logs import shop


@pytest.mark.parametrize("most", [1_000, 60, 1], ids=["one range", "some", "a range a bucket"])
@pytest.mark.parametrize("named", [True, False], ids=["by buckets", "written otherwise"])
def test_every_event_is_read_in_one_range_that_of_its_user(tmp_path: Path, most: int, named: bool) -> None:  # noqa: FBT001
    events = [shop([day], per_day=60) for day in range(3)]
    files = {}
    for day, rows in enumerate(events):
        for first, end in ((0, 512), (512, 1024)) if named else ((0, 1024),):
            buckets = Buckets(first=first, end=end)
            own = rows.filter(buckets.rows(bucket_of("user_id")))
            file = str(tmp_path / (f"{day}-{buckets.name}.parquet" if named else f"{day}.parquet"))
            own.write_parquet(file)
            files[file] = own.height
    found = ranges(files, most, 1)
    reads = [each.read().collect() for each in found]
    assert all(
        rows.filter(~each.buckets.rows(bucket_of("user_id"))).is_empty()
        for each, rows in zip(found, reads, strict=True)
    )
    columns = ["user_id", "item_id", "event", "timestamp"]
    assert sorted(pl.concat(reads).select(columns).iter_rows()) == sorted(pl.concat(events).select(columns).iter_rows())
    assert (len(found) == 1) == (most == 1_000)
    if named:
        assert all(each.is_whole for each in found if each.buckets.end - each.buckets.first >= 512)


def test_what_is_remembered_counts_as_events_do(tmp_path: Path) -> None:
    file = str(tmp_path / "all.parquet")
    assert len(ranges({file: 100}, 1_000, 1, remembered={Buckets(): 0})) == 1
    assert len(ranges({file: 100}, 1_000, 1, remembered={Buckets(): 1_900})) == 2


def test_files_are_grouped_alike_however_they_are_listed() -> None:
    files = {f"{name}.parquet": rows for name, rows in zip("abcde", (4, 6, 1, 25, 2), strict=True)}
    groups = [["a.parquet", "b.parquet"], ["c.parquet"], ["d.parquet"], ["e.parquet"]]
    assert group_files(files, 10) == group_files(dict(reversed(files.items())), 10) == groups
