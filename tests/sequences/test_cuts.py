"""A log cut into files at any zone's midnight, or anywhere, that come in any order: each row ends up exactly once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.sequences.house import House
from tests.sequences.logs import File, Line

START = datetime(2026, 1, 10, tzinfo=UTC)
HOURS = 24 * 5


def log(salt: int) -> list[Line]:
    """Events of five days, no two of them equal, in order of time; one of sixteen lacks its user."""
    moments = Random(salt).choices(range(60 * HOURS), k=80)
    return [
        Line(f"user {n % 5}" if n % 16 else None, f"item {n % 7}", "view", START + timedelta(minutes=minute), float(n))
        for n, minute in enumerate(sorted(moments))
    ]


def midnights(zone: int) -> list[datetime]:
    """Return the midnights of a zone, so many hours from UTC."""
    return [START + timedelta(days=day, hours=-zone) for day in range(-1, 8)]


CUTS = st.one_of(
    st.integers(-12, 14).map(midnights),
    st.lists(st.integers(0, HOURS), max_size=12).map(lambda hours: [START + timedelta(hours=each) for each in hours]),
)


@pytest.mark.slow
@seed(0)
@settings(
    max_examples=4,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    salt=st.integers(0, 2**32),
    cuts=CUTS,
    data=st.data(),
)
def test_every_row_is_kept_once_and_is_a_target_of_one_window(
    cluster: str, tmp_path: Path, salt: int, cuts: list[datetime], data: st.DataObject
) -> None:
    """What a night leaves is compared with the model: rows of `events` and `quarantine`, windows and their targets."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    house = House(cluster, folder, "jsonl", Counter())
    lines = log(salt)
    bounds = [datetime.min.replace(tzinfo=UTC), *sorted(set(cuts)), datetime.max.replace(tzinfo=UTC)]
    pieces = [tuple(line for line in lines if low <= line.timestamp < high) for low, high in pairwise(bounds)]
    files = [File(f"{number:03}.jsonl", piece, 0) for number, piece in enumerate(pieces) if piece]
    for file in data.draw(st.permutations(files)):
        house.write(file)
        if data.draw(st.booleans()):
            house.night()
    after = tuple(line._replace(timestamp=line.timestamp + timedelta(days=7)) for line in lines)
    house.write(File("the week after.jsonl", after, 0))
    house.night(after[-1].timestamp.date())
    kept = len(house.model.events) + len(house.model.quarantine)
    assert kept == 2 * len(lines)
    taken = [event for build in house.model.features.builds for events in build.windows.values() for event in events]
    waiting = [event for event in house.model.events if event.timestamp.date() > house.model.end]
    assert Counter([*taken, *waiting]) == Counter(house.model.events)
    shutil.rmtree(folder)
