from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.rows import ranking
from models.rows.ranking import Blocks, Hidden, Targets, best, ranks, ranks_and_best
from tests.models.rows import plain


@contextmanager
def pieces_of(rows: int) -> Iterator[None]:
    """Take the scores of so many rows at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "SCORES_AT_ONCE", 1)
        patch.setattr(ranking, "FEWEST_ROWS", rows)
        yield


def in_blocks(random: np.random.Generator, row_ND: Tensor) -> Blocks:
    """Cut a table anywhere; its blocks come in any order."""
    edges = sorted({0, len(row_ND), *random.integers(len(row_ND) + 1, size=3).tolist()})
    blocks = [(first, row_ND[first:end]) for first, end in pairwise(edges)]
    return [blocks[place] for place in random.permutation(len(blocks))]


@given(seed=st.integers(0, 2**32 - 1))
def test_ranks_and_best_rows_are_those_of_the_whole_matrix_however_it_is_cut(seed: int) -> None:
    random = np.random.default_rng(seed)
    targets, rows, width, count = random.integers((0, 1, 1, 1), (7, 30, 4, 12)).tolist()
    state_TD, row_ND = (random.integers(-2, 3, size=(length, width)) for length in (targets, rows))  # many ties
    allowed_N = random.random(rows) < random.choice([0.0, 0.5, 1.0])
    hidden = plain.drawn_pairs(random, targets, rows)
    number_T = random.integers(rows, size=targets)

    state, table, allowed = (
        torch.from_numpy(state_TD).float(),
        torch.from_numpy(row_ND).float(),
        torch.from_numpy(allowed_N),
    )
    asked = Targets(torch.from_numpy(number_T), table[number_T])
    left_out = {"allowed_N": allowed, "hidden": Hidden(*map(torch.from_numpy, hidden))}
    with pieces_of(int(random.integers(1, 9))):
        blocks = in_blocks(random, table)
        rank_T, found = ranks_and_best(state, asked, blocks, count, **left_out)
        assert torch.equal(ranks(state, asked, blocks, **left_out), rank_T)
        assert torch.equal(best(state, blocks, count, **left_out).score_TK, found.score_TK)

    score_TN = (state_TD @ row_ND.T).astype(float)
    assert rank_T.tolist() == plain.ranks(score_TN, number_T, allowed_N, hidden).tolist()
    assert found.score_TK.shape == found.number_TK.shape == (targets, count)
    for target in range(targets):
        is_there = found.number_TK[target] >= 0
        numbers, scores = found.number_TK[target][is_there].numpy(), found.score_TK[target][is_there].tolist()
        assert score_TN[target, numbers].tolist() == scores
        assert len(set(numbers)) == len(numbers)
    there = [scores[scores > -torch.inf].tolist() for scores in found.score_TK]
    assert there == plain.best_scores(score_TN, allowed_N, hidden, count)


def test_everything_counts_where_nothing_is_said() -> None:
    asked = Targets(torch.tensor([1]), torch.ones(1, 1))
    table = torch.tensor([[3.0], [1.0], [1.0], [2.0]])
    assert ranks(torch.ones(1, 1), asked, [(0, table)]).tolist() == [2.5]
    assert best(torch.ones(1, 1), [(0, table)], 2).number_TK.tolist() == [[0, 3]]


def test_twins_are_equal_however_large_the_products_and_others_are_not() -> None:
    torch.manual_seed(0)
    state_TD, table = 1_000 * torch.randn(40, 64), torch.randn(500, 64)
    table[1::2] = table[::2]
    number_T = torch.arange(40)
    for size in (1, 3, 64, 500):
        with pieces_of(size):
            rank_T = ranks(state_TD, Targets(number_T, table[number_T]), [(0, table)])
        exact_TN = (state_TD.double() @ table.double().T).numpy()
        nothing = np.empty(0, np.int64)
        wanted_T = plain.ranks(exact_TN.round(6), number_T.numpy(), np.ones(500, bool), (nothing, nothing))
        assert rank_T.tolist() == wanted_T.tolist()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_has_no_rank_and_spoils_no_other(value: float) -> None:
    state_TD, table = torch.ones(2, 2), torch.tensor([[1.0, 0], [2, 0], [3, 0]])
    state_TD[0, 0] = value
    rank_T, found = ranks_and_best(state_TD, Targets(torch.tensor([1, 1]), table[[1, 1]]), [(0, table)], 2)
    assert rank_T.isnan().tolist() == [True, False]
    assert found.number_TK[1].tolist() == [2, 1]


def test_a_row_without_a_number_spoils_those_for_whom_it_counts() -> None:
    table = torch.tensor([[1.0], [torch.nan], [3.0]])
    asked = Targets(torch.tensor([0, 0]), table[[0, 0]])
    hidden = Hidden(torch.tensor([1]), torch.tensor([1]))
    with pieces_of(1):
        rank_T = ranks(torch.ones(2, 1), asked, [(0, table)], hidden=hidden)
    assert rank_T.isnan().tolist() == [True, False]
    allowed = torch.tensor([True, False, True])
    assert ranks(torch.ones(2, 1), asked, [(0, table)], allowed_N=allowed).tolist() == [1, 1]


def test_products_are_in_the_rows_precision_also_where_a_network_computes_in_half() -> None:
    torch.manual_seed(0)
    state_TD, table = torch.randn(9, 16), torch.randn(50, 16)
    asked = Targets(torch.arange(9), table[:9])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = ranks(state_TD, asked, [(0, table)])
    assert torch.equal(within, ranks(state_TD, asked, [(0, table)]))
