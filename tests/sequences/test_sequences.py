"""Random sequences of {night, kill, repeat, late file, bad file}: in any order, no row is lost and none is doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.killing import Moment
from tests.sequences.house import POINTS, House
from tests.sequences.invariants import PROMISES
from tests.sequences.logs import File, Line
from tests.sequences.nights import Nights

FEW = settings(max_examples=5, stateful_step_count=12, phases=[Phase.generate])
MANY = settings(max_examples=150, stateful_step_count=25, print_blob=True)


def run(cluster: str, folder: Path, how: settings, start: int) -> Counter[str]:
    """Run random sequences of nights, and return how often each end of a night was seen."""
    seen: Counter[str] = Counter()

    def machine() -> RuleBasedStateMachine:
        return Nights(cluster, folder, seen)

    how = settings(how, deadline=None, database=None)
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", seed(start)(machine)), settings=how)
    return seen


def a_file(name: str, day: date) -> File:
    """Rows of one day: ties in time, an item of its own, and a row without a user."""
    moments = [datetime(day.year, day.month, day.day, 12, number // 3, tzinfo=UTC) for number in range(9)]
    rows = [Line(f"user {n % 4}", f"item {n % 5}", "view", moment, None) for n, moment in enumerate(moments)]
    own = [Line("user 0", name, "buy", moments[0], 1.5), Line(None, name, "view", moments[0], None)]
    return File(f"{name}.jsonl", (*rows, *own), 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_night_killed_anywhere_is_finished_though_its_files_change_and_another_day_comes(
    cluster: str, tmp_path: Path
) -> None:
    """Of a night's two files one is touched after the kill. After a point is before the next one."""
    seen: Counter[str] = Counter()
    house = House(cluster, tmp_path, "jsonl", seen)
    days = [date(2026, 1, 10) + timedelta(days) for days in range(60)]
    house.write(a_file("first day", days.pop(0)))
    house.write(a_file("second day", days.pop(0)))
    house.night()
    kills: list[tuple[str, Moment]] = [(POINTS[0], "before"), *((point, "after") for point in POINTS)]
    for point, moment in kills:
        day = days.pop(0)
        house.write(a_file(f"{day} a", day))
        touched = house.write(a_file(f"{day} b", day))
        assert house.night(kill=(point, moment))
        house.write(touched)
        day = days.pop(0)
        house.write(a_file(f"{day} a", day))
        house.night()
    assert seen.total() == 1 + 2 * len(kills)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_sequence_of_nights_loses_or_doubles_a_row(cluster: str, tmp_path: Path) -> None:
    """The same few sequences in every run of the same code; what fails is shrunk in the drill."""
    seen = run(cluster, tmp_path, FEW, 0)
    assert any(end.startswith("finished") for end in seen)


@pytest.mark.drill
@pytest.mark.timeout(0)
def test_no_sequence_of_many_nights_loses_or_doubles_a_row(
    cluster: str, tmp_path: Path, drill_seed: int, say: Callable[[str], None]
) -> None:
    """Other sequences in every run."""
    say(f"\nDRILL_SEED={drill_seed}")
    seen = run(cluster, tmp_path, MANY, drill_seed)
    say("\n".join([f"{count:6,} nights {end}" for end, count in sorted(seen.items())]))
    say("\n".join(["After each of them:", *PROMISES]))
