from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.buckets import BUCKETS, Buckets
from data_contracts.staged import (
    StagedIndex,
    StagedPart,
    cells,
    digest_of,
    read_index,
    read_rows,
    write_index,
    write_part,
)

DAY = date(2026, 1, 1)


def _rows(buckets: list[int], *, text: str = "x") -> pl.DataFrame:
    columns = {"user_id": [text] * len(buckets), "bucket": buckets}
    frame = pl.DataFrame(columns, schema={"user_id": pl.String, "bucket": pl.Int16})
    days = pl.Series([DAY if bucket % 2 else None for bucket in buckets], dtype=pl.Date)
    return frame.with_columns(source_row=pl.int_range(pl.len()), day=days)


def _part(folder: Path, name: str, rows: pl.DataFrame, count: int) -> StagedPart:
    uri = f"file:///{name}.csv"
    return write_part(rows.with_columns(source_file=pl.lit(uri, pl.Enum([uri]))), str(folder), name, count)


@settings(max_examples=20, deadline=None)
@given(
    buckets=st.lists(st.lists(st.integers(0, BUCKETS - 1), max_size=30), min_size=1, max_size=3),
    count=st.sampled_from([1, 2, 16, 1024]),
    bounds=st.lists(st.integers(0, BUCKETS), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_the_rows_of_some_buckets_are_read_in_their_order_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, buckets: list[list[int]], count: int, bounds: list[int]
) -> None:
    folder, wanted = tmp_path_factory.mktemp("staged"), Buckets(first=bounds[0], end=bounds[1])
    frames = {f"{number}.arrow": _rows(own) for number, own in enumerate(buckets)}
    parts = [_part(folder, name, frame, count) for name, frame in frames.items()]
    read = read_rows(str(folder), dict.fromkeys(frames, 0), count, wanted)
    for (name, frame), found in zip(frames.items(), read, strict=True):
        own = frame.filter(wanted.rows(pl.col("bucket"))).sort("bucket", "source_row")
        assert found.sort("bucket", "source_row").select(own.drop("day").columns).equals(own.drop("day"))
        assert not found.select((pl.col("source_row").diff() < 0).any().over("bucket").any()).item()
        assert found["source_file"].to_list() == [f"file:///{name}.csv"] * found.height
    index = StagedIndex(cells=count, parts=tuple(parts))
    assert (index.rows, sum(index.weights().values())) == (sum(map(len, buckets)),) * 2
    assert index.days() == ({DAY} if any(bucket % 2 for own in buckets for bucket in own) else set())


def test_rows_of_several_files_keep_their_files_and_count_on_from_those_before(tmp_path: Path) -> None:
    files = pl.Series("source_file", ["b", "a", "a"], dtype=pl.Enum(["b", "a"]))
    part = write_part(_rows([2, 1, 2]).with_columns(files), str(tmp_path), "0.arrow", 2)
    index = StagedIndex(cells=2, parts=(part.model_copy(update={"first_row": 5}),))
    (rows,) = read_rows(str(tmp_path), index.first_rows, 2, Buckets())
    assert rows.select("source_file", "source_row").rows() == [("a", 6), ("b", 5), ("a", 7)]


def test_an_index_and_digests_say_what_lies_there(tmp_path: Path) -> None:
    part = _part(tmp_path, "0.arrow", _rows([1, 2]), 4)
    index = StagedIndex(cells=4, parts=(part,))
    assert read_index(str(tmp_path)) is None
    write_index(str(tmp_path), index)
    assert read_index(str(tmp_path)) == index
    assert digest_of(str(tmp_path), part.name) == part.sha256
    assert digest_of(str(tmp_path), "other.arrow") is None


def test_a_row_of_much_text_weighs_as_several(tmp_path: Path) -> None:
    assert sum(_part(tmp_path, "0.arrow", _rows([1], text="x" * 1280), 1).weights) == 11


def test_cells_hold_every_bucket_once() -> None:
    assert [bucket for cell in cells(64) for bucket in range(cell.first, cell.end)] == list(range(BUCKETS))
