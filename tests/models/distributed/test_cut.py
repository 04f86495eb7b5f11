from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.distributed.cut import balanced

COSTS = st.lists(st.floats(0.1, 100), min_size=2, max_size=8)


def dearest(costs: list[float], starts: tuple[int, ...]) -> float:
    return max(sum(costs[start:end]) for start, end in pairwise(starts))


@given(COSTS, st.data())
def test_no_cut_has_a_cheaper_dearest_stage(costs: list[float], data: st.DataObject) -> None:
    stages = data.draw(st.integers(1, len(costs)))
    starts = balanced(tuple(costs), stages)
    assert len(starts) == stages + 1
    assert all(start < end for start, end in pairwise(starts)), "every stage has a layer"
    every = ((0, *inner, len(costs)) for inner in combinations(range(1, len(costs)), stages - 1))
    assert dearest(costs, starts) == pytest.approx(min(dearest(costs, each) for each in every))


def test_more_stages_than_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 layers cannot be cut into 4 stages: each needs one\. Take fewer stages\."):
        balanced((1.0, 1.0, 1.0), 4)
