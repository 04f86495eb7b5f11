from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.rows.listed import Listed, Pairs, Scored
from tests.models.rows import plain


@given(seed=st.integers(0, 2**32 - 1))
def test_ranks_and_best_rows_are_those_of_the_whole_matrix(seed: int) -> None:
    random = np.random.default_rng(seed)
    targets, rows, levels, count = random.integers((0, 1, 1, 1), (7, 30, 20, 12))
    score_N = random.integers(levels, size=rows) / 4
    allowed_N = random.random(rows) < random.choice([0.0, 0.5, 1.0])
    hidden, others = plain.drawn_pairs(random, targets, rows), plain.drawn_pairs(random, targets, rows)
    score_E = random.integers(2 * levels, size=len(others[0])) / 4
    row_T = random.integers(rows, size=targets)

    listed, scored = Listed(score_N, allowed_N), Scored(Pairs(*others), score_E)
    score_TN = np.tile(score_N, (targets, 1))
    score_TN[others] = score_E
    wanted = plain.ranks(score_TN, row_T, allowed_N, hidden)
    assert listed.ranks(row_T, Pairs(*hidden), scored).tolist() == wanted.tolist()

    best_TK = listed.best(targets, Pairs(*hidden), scored, count)
    assert best_TK.shape == (targets, count)
    for target, best in enumerate(best_TK):
        found = best[best >= 0]
        assert len(set(found)) == len(found), "no row stands twice"
        assert not set(found) & set(hidden[1][hidden[0] == target])
        assert allowed_N[found].all()
    found_scores = [score_TN[target, best[best >= 0]].tolist() for target, best in enumerate(best_TK)]
    assert found_scores == plain.best_scores(score_TN, allowed_N, hidden, count)


def test_of_equals_in_the_list_the_lower_number_comes_first() -> None:
    listed = Listed(np.array([1.0, 2, 2, 2]), np.array([True, True, False, True]))
    nothing = Scored.nothing()
    assert listed.best(1, nothing.pairs, nothing, 5).tolist() == [[1, 3, 0, -1, -1]]
