from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.distributed.parameter_server.leases import Leases

WORKERS = 4


@given(st.one_of(st.none(), st.integers(0, 3)), st.lists(st.tuples(st.integers(0, WORKERS - 1), st.booleans())))
def test_every_step_ends_once_whoever_dies(staleness: int | None, happens: list[tuple[int, bool]]) -> None:
    """A trainer that is drawn ends what it has, or dies; then all that are left finish."""
    leases, has, ended = Leases(range(3, 15), staleness), dict[str, int](), Counter[int]()

    def ask(trainer: str) -> None:
        if trainer not in has and (step := leases.lease(trainer)) is not None:
            has[trainer] = step

    def end(trainer: str) -> None:
        if trainer in has:
            ended[has[trainer]] += 1
            leases.end(has.pop(trainer))

    for number, dies in happens:
        trainer = f"trainer-{number}"
        ask(trainer)
        if dies:
            assert leases.give_back(trainer) == ([has.pop(trainer)] if trainer in has else [])
        elif number % 2:
            end(trainer)
    for _ in range(99):
        for number in range(WORKERS):
            ask(f"trainer-{number}")
            end(f"trainer-{number}")
    assert leases.is_done
    assert ended == Counter(range(3, 15))


def test_a_step_that_was_given_back_goes_first_and_one_that_ended_all_the_same_goes_to_nobody() -> None:
    leases = Leases(range(5), None, taken=[1])
    assert [leases.lease("a"), leases.lease("b"), leases.lease("a")] == [0, 2, 3]
    assert sorted(leases.give_back("a")) == [0, 3]
    assert leases.lease("b") == 0
    leases.end(3)  # a's push had come, and its word of it comes late
    leases.end(3)
    assert leases.lease("b") == 4
    assert leases.lease("b") is None
    assert not leases.is_done
    for step in (0, 2, 4):
        leases.end(step)
    assert leases.is_done


def test_who_has_a_lease_waits_for_nobody() -> None:
    leases = Leases(range(9), 1)
    assert [leases.lease("a"), leases.lease("b"), leases.lease("c")] == [0, 1, None]
    leases.end(1)
    assert leases.lease("c") is None, "step 0 is not taken"
    leases.give_back("a")
    assert leases.lease("c") == 0
    leases.end(0)
    assert leases.lease("a") == 2
