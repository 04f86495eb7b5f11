"""A log cut into files at any zone's midnight, or anywhere, that come in any order: each row ends up exactly once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, seed, settings
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
    """Return the midnights of a zone, so many quarters of an hour from UTC."""
    return [START + timedelta(days=day, minutes=-15 * zone) for day in range(-1, 8)]


CUTS = st.one_of(
    st.integers(-4 * 12, 4 * 14).map(midnights),
    st.lists(st.integers(0, 60 * HOURS), max_size=12).map(
        lambda minutes: [START + timedelta(minutes=each) for each in minutes]
    ),
)
FEW = settings(max_examples=4, phases=[Phase.generate])
MANY = settings(max_examples=100, print_blob=True)


@pytest.mark.slow
def test_every_row_is_kept_once_and_is_a_target_of_one_window(cluster: str, tmp_path: Path) -> None:
    """The same few cuts in every run of the same code; what fails is shrunk in the drill."""
    cut_and_compare(cluster, tmp_path, FEW, 0)


@pytest.mark.drill
@pytest.mark.timeout(0)
def test_every_row_is_kept_once_however_it_is_cut(
    cluster: str, tmp_path: Path, drill_seed: int, say: Callable[[str], None]
) -> None:
    say(f"\nDRILL_SEED={drill_seed}")
    cut_and_compare(cluster, tmp_path, MANY, drill_seed)


def cut_and_compare(cluster: str, folder: Path, how: settings, start: int) -> None:
    """Compare what nights leave with the model: rows of `events` and `quarantine`, windows and their targets."""

    @seed(start)
    @settings(how, deadline=None, database=None)
    @given(salt=st.integers(0, 2**32), cuts=CUTS, data=st.data())
    def compare(salt: int, cuts: list[datetime], data: st.DataObject) -> None:
        own = Path(tempfile.mkdtemp(dir=folder))
        house = House(cluster, own, "jsonl", Counter())
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
        builds = house.model.features.builds
        taken = [event for build in builds for events in build.windows.values() for event in events]
        waiting = [event for event in house.model.events if event.timestamp.date() > house.model.end]
        assert Counter([*taken, *waiting]) == Counter(house.model.events)
        shutil.rmtree(own)

    compare()
