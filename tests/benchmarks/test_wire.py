from __future__ import annotations

import pytest

from benchmarks.clock import Clock
from benchmarks.recovery import rows_of as recovery_rows
from benchmarks.wire import BEFORE, bytes_a_step, rows_of


def test_what_the_first_steps_send_does_not_count() -> None:
    assert bytes_a_step(Clock(steps=(), sent=(900, 1000, 1100, 1300)), 1) == 150


@pytest.mark.parametrize(("sharded", "wanted"), [(50e6, "met"), (51e6, "**missed**")])
def test_sharded_rows_are_to_send_half_of_what_was_sent_before(sharded: float, wanted: str) -> None:
    rows = rows_of({BEFORE: 100e6, "local": 25e6, "sharded": sharded})
    assert [row.cells()[-1] for row in rows if row.bar] == [wanted]
    assert rows[-1].values == [sharded / 25e6]


def test_hosts_have_a_bar_each_and_the_median_is_held_to_it() -> None:
    one, two = recovery_rows({1: [1, 5, 9], 2: [1, 5, 9]})
    assert (one.met, two.met) == (False, True)
