from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import twins
from models.twins import A_SHARED_BAND, Flags, Likeness, Numbers, Twins, seen_before

BANDS = 3


def _are_near(one_PB: Numbers, other_PB: Numbers) -> Flags:
    near: Flags = np.abs(one_PB - other_PB).sum(axis=1) <= 1
    return near


NEAR = Likeness(lambda band_NB: band_NB, _are_near)
"""At most one of three bands differs, by one: two are the same."""

rows = st.lists(st.tuples(*[st.integers(-1, 3)] * BANDS), max_size=12).map(
    lambda given: np.array(given, np.int64).reshape(-1, BANDS)
)
likenesses = pytest.mark.parametrize("likeness", [A_SHARED_BAND, NEAR], ids=["a shared band", "near"])


def are_twins(one: Numbers, other: Numbers, likeness: Likeness) -> bool:
    shares = bool((one == other).any())
    return shares and (likeness.are_twins is None or bool(likeness.are_twins(one[None], other[None])[0]))


@likenesses
@given(own=rows, others=rows)
def test_twins_are_those_that_comparing_all_would_find(likeness: Likeness, own: Numbers, others: Numbers) -> None:
    found = Twins(own, likeness).met(others)
    assert found.tolist() == [any(are_twins(each, one, likeness) for one in own) for each in others]


@likenesses
@pytest.mark.parametrize("at_once", [1, 5, 2**20])
@given(own=rows, older=st.lists(rows, max_size=3))
def test_a_row_that_was_there_before_is_known_again(
    likeness: Likeness, at_once: int, own: Numbers, older: list[Numbers]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twins, "ROWS_AT_ONCE", at_once)
        patch.setattr(twins, "PAIRS_AT_ONCE", at_once)
        found = seen_before(own, older, likeness)
    before = [row for piece in older for row in piece]
    wanted = [any(are_twins(row, one, likeness) for one in [*before, *own[:place]]) for place, row in enumerate(own)]
    assert found.tolist() == wanted


@likenesses
def test_many_that_are_the_same_are_compared_once(likeness: Likeness) -> None:
    """Pairs of them all would be 10,000 times 10,000."""
    same = np.zeros((10_000, BANDS), np.int64)
    pairs = sum(len(other) for other, _ in Twins(same, likeness)._pairs(same))
    assert pairs == BANDS * len(same)
    assert seen_before(same, [], likeness).sum() == len(same) - 1
    assert seen_before(same, [same], likeness).all()


def test_pairs_come_a_bounded_number_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "PAIRS_AT_ONCE", 100)
    own = np.array(list(product([0], range(30), range(2))), np.int64)
    sizes: list[int] = []

    def counted(one_PB: Numbers, other_PB: Numbers) -> Flags:
        sizes.append(len(one_PB))
        return _are_near(one_PB, other_PB)

    Twins(own, Likeness(lambda band_NB: band_NB, counted)).met(own)
    assert sum(sizes) == 60 * 60 + 60 * 2 + 60 * 30
    assert max(sizes) <= 100 + 60
