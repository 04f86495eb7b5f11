from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.buckets import BUCKETS, Buckets, weight_of
from data_contracts.recommender.events import EVENTS
from data_contracts.staging import incoming, staging
from tasks.validate.checked import shares
from tasks.validate.repeats import first_of_equal, known

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STAGED = staging(EVENTS).schema


def _row(**columns: Any) -> dict[str, Any]:
    """One staged row; what is not given is as in every other."""
    row = {"user_id": "u", "item_id": "i", "event": "view", "timestamp": NOON, "value": 1.0}
    return {**row, "source_file": "a.csv", "source_row": 0, **columns}


def _staged(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(pa.Table.from_pylist(list(rows), STAGED))


def _drop(
    folder: Path, blocks: Sequence[pl.DataFrame], there: Sequence[dict[str, Any]] = ()
) -> tuple[int, int, pl.DataFrame]:
    """Drop the repeats of blocks, given what the table has: how many there were, those known, and what is left."""
    pq.write_table(pa.Table.from_pylist(list(there), incoming(EVENTS)), folder / "table.parquet")
    rows, read = first_of_equal(blocks, EVENTS)
    is_known = known(rows, [str(folder / "table.parquet")] if there else [], EVENTS)
    kept = rows.filter(~is_known)
    return read - kept.height, int(is_known.sum()), kept


@pytest.mark.parametrize(
    ("columns", "there", "repeats"),
    [
        pytest.param({}, {}, 1, id="the same"),
        pytest.param({"value": None}, {"value": None}, 1, id="null is null"),
        pytest.param({"value": float("nan")}, {"value": float("nan")}, 1, id="NaN is NaN"),
        pytest.param({"value": None}, {"value": float("nan")}, 0, id="but they are two"),
        pytest.param({"value": 0.0}, {"value": -0.0}, 1, id="zero has no sign"),
        pytest.param({"source_file": "b.csv", "source_row": 9}, {}, 1, id="wherever it came from"),
        pytest.param({"timestamp": NOON + timedelta(microseconds=1)}, {}, 0, id="a microsecond later"),
        pytest.param({"value": None, "problem": "value unparseable"}, {"value": None}, 0, id="an unreadable row"),
    ],
)
def test_a_row_is_a_repeat_when_the_table_or_one_before_it_has_all_it_says(
    tmp_path: Path, columns: dict[str, Any], there: dict[str, Any], repeats: int
) -> None:
    rows = _staged([_row(**columns), _row(user_id="new")])
    dropped, of_table, kept = _drop(tmp_path, [rows], there=[_row(**there)])
    assert (dropped, of_table, kept.height) == (repeats, repeats, 2 - repeats)
    assert kept["user_id"].to_list() == ["u", "new"][repeats:]
    assert _drop(tmp_path, [_staged([_row(**there), _row(**columns)])])[0] == repeats, "of tonight's alone"


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"problem": "not JSON", "user_id": None}, id="unreadable"),
        pytest.param({"user_id": None}, id="nobody"),
        pytest.param({"event": None}, id="nothing done"),
    ],
)
def test_broken_rows_that_look_alike_all_count(tmp_path: Path, columns: dict[str, Any]) -> None:
    rows = [_row(**columns, source_row=n) for n in range(200)] + [_row(source_row=n) for n in range(200)]
    dropped, of_table, kept = _drop(tmp_path, [_staged(rows)], there=[_row()])
    assert (kept.height, dropped, of_table) == (200, 200, 1)
    assert kept["source_row"].to_list() == list(range(200))


def test_what_comes_more_than_once_and_is_known_too_is_counted_once_for_each_row(tmp_path: Path) -> None:
    rows = _staged([_row(), _row(), _row(user_id="new"), _row(user_id="new")])
    dropped, of_table, kept = _drop(tmp_path, [rows], there=[_row(), _row(user_id="other")])
    assert (kept.height, dropped, of_table) == (1, 3, 1)


def test_a_row_that_comes_more_than_a_million_times_is_kept_once_the_first(tmp_path: Path) -> None:
    count = 350_000
    same = _staged([_row(user_id="same")])
    blocks = [
        pl.concat([same] * count).with_columns(source_row=pl.int_range(pl.len()) + count * number)
        for number in range(4)
    ]
    other = _staged([_row(user_id="same", source_file="b.csv"), _row(user_id="last")])
    dropped, of_table, kept = _drop(tmp_path, [*blocks, other])
    assert (kept.height, dropped, of_table) == (2, 4 * count, 0)
    assert kept.select("user_id", "source_file", "source_row").rows() == [("same", "a.csv", 0), ("last", "a.csv", 0)]


@given(
    weights=st.lists(st.integers(0, 3_000), min_size=16, max_size=16),
    most=st.integers(100, 5_000),
    workers=st.integers(1, 4),
)
def test_every_row_is_in_one_share_and_a_bucket_that_is_too_heavy_is_cut(
    weights: list[int], most: int, workers: int
) -> None:
    width = BUCKETS // 16
    cells = {Buckets(first=n * width, end=(n + 1) * width): weight for n, weight in enumerate(weights)}
    found = shares(cells, most, workers)
    assert [bucket for share in found for bucket in range(share.buckets.first, share.buckets.end)] == list(
        range(BUCKETS)
    )
    assert all(weight_of(share.buckets, cells) / share.pieces <= 1.5 * most + 1 for share in found)
