from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.distributed.parameter_server.clock import Clock


@given(st.integers(0, 5), st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_a_step_is_never_staler_than_twice_the_bound_and_somebody_can_always_go_on(
    bound: int, order: list[int]
) -> None:
    """Trainers look steps up in order, and end them in any; who ends next is drawn."""
    clock, out, following = Clock(bound), list[int](), 0
    for which in order:
        while clock.may_look_up(following) and len(out) < 7:
            clock.look_up(following, 0)
            out.append(following)
            following += 1
        assert out, "nobody can go on"
        assert max(out) - min(out) <= bound
        clock.take(out.pop(which % len(out)), 1)
    assert max(clock.staleness_seen) <= 2 * bound
    assert clock.staleness_seen.total() == len(order) == clock.count


def test_without_staleness_one_step_follows_the_other() -> None:
    clock = Clock(0)
    assert [clock.may_look_up(step) for step in range(3)] == [True, False, False]
    assert clock.missing(2) == [0, 1]
    clock.look_up(0, 0)
    clock.take(0, 1)
    assert [clock.may_look_up(step) for step in range(3)] == [True, True, False]
    assert dict(clock.staleness_seen) == {0: 1}


def test_without_a_bound_nobody_waits_and_staleness_is_counted() -> None:
    clock = Clock(None)
    for step in range(4):
        assert clock.may_look_up(step)
        clock.look_up(step, 0)
    for step in (3, 1, 2):
        clock.take(step, 1)
    assert (clock.taken, clock.beyond, clock.count) == (0, (1, 2, 3), 3)
    assert [clock.is_taken(step) for step in range(5)] == [False, True, True, True, False]
    clock.take(0, 1)
    assert (clock.taken, clock.beyond, clock.count) == (4, (), 4)
    assert dict(clock.staleness_seen) == {0: 1, 1: 1, 2: 1, 3: 1}


def test_shares_of_one_step_are_counted_each() -> None:
    clock = Clock(1)
    clock.look_up(0, 0)
    clock.look_up(0, 1)
    clock.look_up(1, 1)
    clock.take(0, 2)
    clock.look_up(1, 0)
    clock.take(1, 2)
    assert dict(clock.staleness_seen) == {0: 3, 1: 1}


def test_it_goes_on_from_steps_that_were_taken() -> None:
    clock = Clock(2, taken=5, beyond=[5, 7])
    assert (clock.taken, clock.beyond, clock.count) == (6, (7,), 7)
    assert clock.may_look_up(8)
    assert not clock.may_look_up(9)
