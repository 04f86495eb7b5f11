"""Rows and labels that come apart, in real tables, split over nights in every way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.reading import scan
from data_contracts.staging import LABELS
from data_contracts.table import Table
from data_contracts.waiting import Waiting
from tasks.preprocess.labels import IS_DISPUTED, KNOWN_AT, due_files, known, labelled
from tasks.preprocess.waiting import count_waiting
from tests.parcels.contracts.arrivals import ARRIVALS
from tests.parcels.contracts.parcels import PARCELS
from tests.parcels.contracts.promises import PROMISES

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, WAIT = 6, 2
assert PROMISES.labels is not None


class Sent(NamedTuple):
    """A parcel: when it was sent and in which night its row came; the same of its arrival, which may never come."""

    day: int
    night: int
    arrived: int | None = None
    told: int = 0


class Made(NamedTuple):
    """An example: of which parcel, by which night, known on which day, how long it took."""

    parcel: str
    night: int
    day: int
    hours: float


def _rows(parcels: Sequence[tuple[str, int]]) -> pl.DataFrame:
    at = [FIRST + timedelta(days=day, hours=1) for _, day in parcels]
    return pl.DataFrame(
        {"parcel_id": [name for name, _ in parcels], "distance_km": [1.0] * len(at), "sent_at": at},
        schema={"parcel_id": pl.String, "distance_km": pl.Float32, "sent_at": pl.Datetime("us", "UTC")},
    ).with_columns(day=pl.col("sent_at").dt.date())


def _labels(arrivals: Sequence[tuple[str, int, float]]) -> pl.DataFrame:
    at = [FIRST + timedelta(days=day, hours=2) for _, day, _ in arrivals]
    return pl.DataFrame(
        {"parcel_id": [name for name, _, _ in arrivals], "hours": [own for *_, own in arrivals], "arrived_at": at},
        schema={"parcel_id": pl.String, "hours": pl.Float32, "arrived_at": pl.Datetime("us", "UTC")},
    ).with_columns(day=pl.col("arrived_at").dt.date())


class House:
    """Tables of parcels and arrivals, and what nights make of them."""

    def __init__(self, folder: Path) -> None:
        self.parcels, self.arrivals = Table(str(folder), PARCELS), Table(str(folder), ARRIVALS)
        self.done: int | None = None
        self.waiting: list[Waiting] = []

    def night(self, end: int, rows: Sequence[tuple[str, int]], labels: Sequence[tuple[str, int, float]]) -> list[Made]:
        """Take rows and labels, and make what can be made by the end of a day."""
        number = self.parcels.next_version()
        if labels:
            parts = self.arrivals.write(_labels(labels).to_arrow(), f"night-{self.arrivals.next_version():06}-rows")
            self.arrivals.commit(parts, [f"arrivals {number}"])
        marks = {"window": (FIRST + timedelta(days=end)).date().toordinal()}
        if (version := self.arrivals.version()) is not None:
            marks[LABELS] = version
        parts = self.parcels.write(_rows(rows).to_arrow(), f"night-{number:06}-rows") if rows else []
        self.parcels.commit(parts, [f"parcels {number}"], marks=marks)
        made = [each for found in self._made(number) for each in found]
        assert PROMISES.labels is not None
        self.waiting.append(count_waiting(self.parcels, self.arrivals, PROMISES.labels, self.done, number, WAIT))
        self.done = number
        return made

    def _made(self, number: int) -> list[list[Made]]:
        promised = PROMISES.labels
        assert promised is not None
        found = []
        for due in due_files(self.parcels, self.arrivals, self.done, number, WAIT):
            rows = labelled(scan([due.file], PARCELS), known(due, promised), due, promised, "sent_at")
            done = rows.filter(pl.col(KNOWN_AT).is_not_null()).collect()
            found.append(
                [
                    Made(name, number, (at - FIRST).days, hours)
                    for name, at, hours in done.select("parcel_id", KNOWN_AT, "hours").iter_rows()
                ]
            )
        return found


parcels = st.builds(
    Sent,
    day=st.integers(0, DAYS - 1),
    night=st.integers(0, DAYS - 1),
    arrived=st.none() | st.integers(0, DAYS - 1),
    told=st.integers(0, DAYS - 1),
)


@settings(max_examples=15)
@given(sent=st.lists(parcels, min_size=1, max_size=12))
def test_every_row_is_an_example_once_in_the_first_night_that_has_it_and_its_label(sent: list[Sent]) -> None:
    named = {f"p{number}": parcel for number, parcel in enumerate(sent)}
    made: list[Made] = []
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        for night in range(DAYS):
            rows = [(name, each.day) for name, each in named.items() if each.night == night]
            labels = [
                (name, each.arrived, float(each.arrived))
                for name, each in named.items()
                if each.arrived is not None and each.told == night
            ]
            made += house.night(night, rows, labels)
    wanted = {
        Made(name, night, max(each.day, each.arrived), float(each.arrived))
        for name, each in named.items()
        if each.arrived is not None and abs(each.arrived - each.day) <= WAIT
        if (night := max(each.day, each.night, each.arrived, each.told)) < DAYS
    }
    assert len(made) == len(set(made))
    assert set(made) == wanted
    assert house.waiting == [_waiting(sent, night) for night in range(DAYS)]


def _waiting(sent: Sequence[Sent], night: int) -> Waiting:
    """Say by hand what waits at the end of a night, which is that of its day."""
    counts = dict.fromkeys(Waiting.model_fields, 0)
    for each in sent:
        row_since = max(each.day, each.night)
        label_since = None if each.arrived is None else max(each.arrived, each.told)
        is_near = each.arrived is not None and abs(each.arrived - each.day) <= WAIT
        for what, day, since, other in (
            ("rows", each.day, row_since, label_since if is_near else None),
            ("labels", each.arrived, label_since, row_since if is_near else None),
        ):
            is_alone = since is not None and since <= night and (other is None or other > night)
            if is_alone and day is not None and day + WAIT > night:
                counts[f"{what}_waiting"] += 1
            elif is_alone and day is not None and night in (day + WAIT, since):
                counts[f"{what}_given_up"] += 1
    return Waiting.model_validate(counts)


def test_of_two_labels_the_first_in_time_counts_and_the_row_is_disputed(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.night(0, [("a", 0), ("b", 0)], [("a", 0, 3.0), ("b", 0, 5.0), ("b", 0, 5.0)])
    promised = PROMISES.labels
    assert promised is not None
    house.done = None
    house.night(1, [("c", 1)], [("c", 1, 8.0), ("a", 1, 1.0), ("c", 0, 9.0)])
    house.done = None
    (first, second) = due_files(house.parcels, house.arrivals, None, 1, WAIT)
    by_name = {}
    for due in (first, second):
        joined = labelled(scan([due.file], PARCELS), known(due, promised), due, promised, "sent_at").collect()
        by_name |= {name: (hours, own) for name, hours, own in joined.select("parcel_id", "hours", IS_DISPUTED).rows()}
    assert by_name == {"a": (3.0, True), "b": (5.0, False), "c": (9.0, True)}


def test_a_row_is_disputed_by_a_label_that_says_something_else_than_its_own_which_counts(tmp_path: Path) -> None:
    house, promised = House(tmp_path), PROMISES.labels
    assert promised is not None
    house.night(0, [(name, 0) for name in "abcde"], [("a", 0, 3.0), ("b", 0, 5.0), ("c", 0, 4.0)])
    (due,) = due_files(house.parcels, house.arrivals, None, 0, WAIT)
    own = pl.col("parcel_id").replace_strict({"a": 7.0, "b": 5.0, "d": 1.0}, default=None, return_dtype=pl.Float32)
    rows = scan([due.file], PARCELS).with_columns(hours=own)
    found = labelled(rows, known(due, promised), due, promised, "sent_at").select("hours", IS_DISPUTED).collect()
    assert found.rows() == [(7.0, True), (5.0, False), (4.0, False), (1.0, False), (None, False)]


def test_a_row_that_was_labelled_once_stays_as_it_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.night(0, [("a", 0), ("b", 0)], [("a", 0, 3.0)]) == [Made("a", 0, 0, 3.0)]
    assert house.night(1, [], [("a", 0, 2.0), ("b", 1, 4.0)]) == [Made("b", 1, 1, 4.0)]
    assert house.night(2, [("c", 2)], []) == []


def test_what_waited_too_long_is_given_up_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.night(0, [("a", 0), ("b", 0)], [("a", 0, 1.0), ("nobody", 0, 1.0), ("nobody", 0, 2.0)])
    house.night(1, [], [])
    house.night(4, [("late", 0)], [])
    house.night(5, [], [])
    assert house.waiting == [
        Waiting(rows_waiting=1, labels_waiting=2),
        Waiting(rows_waiting=1, labels_waiting=2),
        Waiting(rows_given_up=2, labels_given_up=2),
        Waiting(),
    ]


def test_labels_that_are_far_from_a_rows_day_are_not_even_opened(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.night(0, [("a", 0)], [("a", 0, 3.0)])
    house.night(5, [("b", 5)], [("a", 5, 2.0), ("b", 4, 4.0), ("b", 5, 4.0)])
    (due,) = due_files(house.parcels, house.arrivals, 0, 1, WAIT)
    assert house.parcels.partition_of(due.file) == "2026-03-06"
    assert sorted(map(house.arrivals.partition_of, due.labels)) == ["2026-03-05", "2026-03-06"]
