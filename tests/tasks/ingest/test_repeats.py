from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.days import Days
from tasks.ingest.repeats import Slice, plan

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
