from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.recommender.events import EVENTS
from data_contracts.staging import incoming, staging
from tasks.ingest.repeats import Chunk, Days, Slice, drop_repeats, plan

FIRST = date(2026, 1, 1)
DAYS = st.dictionaries(
    st.one_of(st.none(), st.integers(0, 400).map(lambda n: FIRST + timedelta(days=n))), st.integers(1, 50), max_size=30
)


def _holds(part: Slice, day: date | None, row_hash: int) -> bool:
    of_the_day = day is None if part.days is None else day is not None and part.days[0] <= day <= part.days[1]
    return of_the_day and part.hashes[0] <= row_hash < part.hashes[1]


@given(days=DAYS, row_hash=st.integers(0, 2**32 - 1), rows_per_chunk=st.integers(1, 40))
def test_every_row_is_in_exactly_one_slice(days: dict[date | None, int], row_hash: int, rows_per_chunk: int) -> None:
    slices = plan(days, rows_per_chunk=rows_per_chunk)
    assert all(sum(_holds(part, day, row_hash) for part in slices) == 1 for day in days)


@given(days=DAYS)
def test_a_slice_touches_the_files_whose_days_it_holds(days: dict[date | None, int]) -> None:
    for part in plan(days, rows_per_chunk=20):
        assert all(part.touches({day: 1}) == _holds(part, day, part.hashes[0]) for day in days)
        assert not part.touches({})


def test_whole_days_share_a_slice_while_they_fit_and_a_big_day_is_cut() -> None:
    days: Days = {FIRST + timedelta(days=n): count for n, count in enumerate([4, 5, 2, 25, 1])}
    slices = plan(days, rows_per_chunk=10)
    spans = [part.days and tuple((day - FIRST).days for day in part.days) for part in slices]
    assert spans == [(0, 1), (2, 2), (3, 3), (3, 3), (3, 3), (4, 4)]


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STAGED = pa.schema([*staging(EVENTS).schema, pa.field("day", pa.date32()), pa.field("row_hash", pa.uint32())])


def _row(**columns: Any) -> dict[str, Any]:
    """One staged row; what is not given is as in every other."""
    row = {"user_id": "u", "item_id": "i", "event": "view", "timestamp": NOON, "value": 1.0, "day": FIRST}
    return {**row, "source_file": "a.csv", "source_row": 0, "row_hash": 7, **columns}


def _drop(folder: Path, staged: Sequence[pa.Table], known: Sequence[dict[str, Any]] = ()) -> tuple[Chunk, pl.DataFrame]:
    """Drop the repeats of staged files, given what the table has of the day."""
    files = [str(folder / f"staged-{number}.parquet") for number in range(len(staged))]
    for file, rows in zip(files, staged, strict=True):
        pq.write_table(rows, file)
    table = str(folder / "table.parquet")
    pq.write_table(pa.Table.from_pylist(list(known), incoming(EVENTS)), table)
    part = Slice(days=(FIRST, FIRST))
    chunk = drop_repeats(files, {FIRST: [table]} if known else {}, part, str(folder / "out.parquet"), EVENTS)
    return chunk, pl.read_parquet(folder / "out.parquet")


@pytest.mark.parametrize(
    ("columns", "known", "repeats"),
    [
        pytest.param({}, {}, 1, id="the same"),
        pytest.param({"value": None}, {"value": None}, 1, id="null is null"),
        pytest.param({"value": float("nan")}, {"value": float("nan")}, 1, id="NaN is NaN"),
        pytest.param({"value": None}, {"value": float("nan")}, 0, id="but they are two"),
        pytest.param({"source_file": "b.csv", "source_row": 9}, {}, 1, id="wherever it came from"),
        pytest.param({"timestamp": NOON + timedelta(microseconds=1)}, {}, 0, id="a microsecond later"),
        pytest.param({"value": None, "problem": "value unparseable"}, {"value": None}, 0, id="an unreadable row"),
    ],
)
def test_a_row_is_a_repeat_when_the_table_has_all_it_says(
    tmp_path: Path, columns: dict[str, Any], known: dict[str, Any], repeats: int
) -> None:
    rows = pa.Table.from_pylist([_row(**columns), _row(user_id="new")], STAGED)
    chunk, kept = _drop(tmp_path, [rows], known=[_row(**known)])
    assert (kept.height, chunk.repeats, chunk.known) == (2 - repeats, repeats, repeats)
    assert kept["user_id"].to_list() == ["u", "new"][repeats:]


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
    chunk, kept = _drop(tmp_path, [pa.Table.from_pylist(rows, STAGED)], known=[_row()])
    assert (kept.height, chunk.repeats, chunk.known, chunk.again) == (200, 200, 1, ("a.csv",))
    assert kept["source_row"].to_list() == list(range(200))


def test_what_comes_more_than_once_and_is_known_too_is_counted_once_for_each_row(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([_row(), _row(), _row(user_id="new"), _row(user_id="new")], STAGED)
    chunk, kept = _drop(tmp_path, [rows], known=[_row(), _row(user_id="other")])
    assert (kept.height, chunk.repeats, chunk.known) == (1, 3, 1)


def test_a_row_that_comes_more_than_a_million_times_is_kept_once_the_first(tmp_path: Path) -> None:
    count = 1_400_000
    one = pa.Table.from_pylist([_row(user_id="same")], STAGED).take(pa.array([0] * count))
    numbered = one.set_column(STAGED.names.index("source_row"), "source_row", pa.array(range(count), pa.int64()))
    other = pa.Table.from_pylist([_row(user_id="same", source_file="b.csv"), _row(user_id="last")], STAGED)
    chunk, kept = _drop(tmp_path, [numbered, other])
    assert (kept.height, chunk.repeats, chunk.known) == (2, count, 0)
    assert kept.select("user_id", "source_file", "source_row").rows() == [("same", "a.csv", 0), ("last", "a.csv", 0)]
