from __future__ import annotations

import pytest

from benchmarks.clock import Clock
from benchmarks.pace import bubble, pace, waiting, wanted_bubble, work
from benchmarks.sizes import Sizes

SIZES = Sizes(users=10, events=3, items=9, length=2, width=4, blocks=1, batch=4, negatives=2, epochs=2, left_out=1)
"""Two epochs of batches of 4, 4 and 2; the first does not count."""
FIT = Clock(steps=(10.0, 12.0, 13.0, 15.0, 17.0, 18.0), worked=(1, 2, 3, 4, 5, 6), waits=(9.0, 0.1, 0.1, 0.2, 0.2, 0.2))


def test_first_steps_do_not_count() -> None:
    assert pace(FIT, SIZES) == pytest.approx(16 / 8)
    assert waiting(FIT, SIZES) == pytest.approx(0.8 / 8)
    assert work(FIT, SIZES) == 5


def test_stages_of_equal_cost_have_the_bubble_of_the_formula() -> None:
    """GPipe, two stages, four parts that take 1 s there and 1 s back: the second stage begins and ends 1 s inside."""
    first = [(start, start + 1) for start in (0, 1, 2, 3, 6, 7, 8, 9)]
    second = [(start, start + 1) for start in (1, 2, 3, 4, 5, 6, 7, 8)]
    clocks = [Clock(steps=(-1, 10.5), busy=tuple(busy)) for busy in (first, second)]
    assert bubble(clocks, 1) == pytest.approx((wanted_bubble(2, 4), 0.2))


def test_waiting_for_a_slower_stage_is_not_the_busiest_one_s() -> None:
    clocks = [Clock(steps=(-1, 11), busy=((0, 3), (7, 10))), Clock(steps=(-1, 11), busy=((3, 5), (5, 7)))]
    assert bubble(clocks, 1) == pytest.approx((0.5, 0.4))
