"""Ranks the rows of a table for many states, piece by piece: no matrix of states x rows is ever there.

A row's score for a state is their dot product, taken in the precision of the rows. Two scores that are nearer than the
rounding of such a product are equal: in which pieces they were taken decides about no rank (ADR 47).

Shape letters: T states, each with a target, D width, N rows, R rows of a piece, K best rows, H hidden pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

Blocks = Iterable[tuple[int, Tensor]]
"""A table in blocks, each row in one of them: the number of the block's first row, and its rows, float (R, D)."""

SCORES_AT_ONCE = 2**20
"""Scores taken at once, rows x states: 4 MiB in float32, which caches keep."""
FEWEST_ROWS = 64
"""Rows of a piece, at least, however many the states: about 8,000 of them are worth passing together."""
ROUNDING = 16
"""By how many units of rounding a dot product may be off, relative to the norms of both its sides."""


class Hidden(NamedTuple):
    """Rows that do not count for one state.

    Attributes:
        state_H: Number of the state, int64.
        row_H: Number of the row, int64; it need not be in the table.
    """

    state_H: Tensor
    row_H: Tensor


class Targets(NamedTuple):
    """The row whose rank is asked for, one a state. It is ranked also where it is hidden, or not allowed.

    Attributes:
        number_T: Its number, int64.
        row_TD: The row itself.
    """

    number_T: Tensor
    row_TD: Tensor


class Best(NamedTuple):
    """The best rows of each state, best first; where there are fewer than K, -1 at a score of -inf.

    Attributes:
        score_TK: Float.
        number_TK: int64.
    """

    score_TK: Tensor
    number_TK: Tensor


class _Piece(NamedTuple):
    """Scores of some rows; -inf where a row does not count."""

    first: int
    score_RT: Tensor
    highest_T: Tensor


@torch.no_grad()
def ranks(
    state_TD: Tensor, targets: Targets, blocks: Blocks, *, allowed_N: Tensor | None = None, hidden: Hidden | None = None
) -> Tensor:
    """Count the rows that score better than each target, and half of the others that score the same.

    Args:
        state_TD: Float, as the rows are.
        targets: One a state.
        blocks: The table.
        allowed_N: Rows that count at all, bool; all when omitted.
        hidden: Rows that do not count for one state; none when omitted.

    Returns:
        Float64 (T,), from 0; NaN where the target, or a row that counts, has no finite score.
    """
    ranked = _Ranks(state_TD, targets)
    for piece in _pieces(state_TD, blocks, allowed_N, hidden):
        ranked.add(piece)
    return ranked.ranks()


@torch.no_grad()
def best(
    state_TD: Tensor, blocks: Blocks, count: int, *, allowed_N: Tensor | None = None, hidden: Hidden | None = None
) -> Best:
    """Return the ``count`` rows that score best for each state; see `ranks`."""
    found = _Best(state_TD, count)
    for piece in _pieces(state_TD, blocks, allowed_N, hidden):
        found.add(piece)
    return found.found()


@torch.no_grad()
def ranks_and_best(
    state_TD: Tensor,
    targets: Targets,
    blocks: Blocks,
    count: int,
    *,
    allowed_N: Tensor | None = None,
    hidden: Hidden | None = None,
) -> tuple[Tensor, Best]:
    """Return what `ranks` and `best` do, from one pass over the table."""
    ranked, found = _Ranks(state_TD, targets), _Best(state_TD, count)
    for piece in _pieces(state_TD, blocks, allowed_N, hidden):
        found.add(piece)
        ranked.add(piece)
    return ranked.ranks(), found.found()


def _pieces(state_TD: Tensor, blocks: Blocks, allowed_N: Tensor | None, hidden: Hidden | None) -> Iterator[_Piece]:
    size = max(SCORES_AT_ONCE // max(len(state_TD), 1), FEWEST_ROWS)
    row_H = torch.empty(0, dtype=torch.int64, device=state_TD.device)
    hidden = Hidden(row_H, row_H) if hidden is None else hidden
    row_H, order_H = hidden.row_H.sort()
    state_H = hidden.state_H[order_H]
    for start, row_ND in blocks:
        edges = [*range(start, start + len(row_ND), size), start + len(row_ND)]
        within = torch.searchsorted(row_H, torch.tensor(edges, device=row_H.device)).tolist()
        for (first, end), (low, high) in zip(pairwise(edges), pairwise(within), strict=True):
            score_RT = _products(row_ND[first - start : end - start], state_TD)
            if allowed_N is not None:
                score_RT.index_fill_(0, (~allowed_N[first:end]).nonzero()[:, 0], -torch.inf)
            score_RT[row_H[low:high] - first, state_H[low:high]] = -torch.inf
            yield _Piece(first, score_RT, score_RT.amax(dim=0))


def _products(row_RD: Tensor, state_TD: Tensor) -> Tensor:
    with torch.autocast(row_RD.device.type, enabled=False):
        return row_RD @ state_TD.T


class _Ranks:
    """Counts, piece by piece, what scores as well as the targets; the target itself is left out by its number."""

    def __init__(self, state_TD: Tensor, targets: Targets) -> None:
        number_T, row_TD = targets
        self._number_T = number_T
        self._own_T = (state_TD * row_TD).sum(dim=1)
        rounding_T = ROUNDING * torch.finfo(row_TD.dtype).eps * state_TD.norm(dim=1) * row_TD.norm(dim=1)
        self._above_T, self._least_T = self._own_T + rounding_T, self._own_T - rounding_T
        self._twice_T = torch.zeros_like(self._own_T, dtype=torch.float64)
        self._highest_T = torch.full_like(self._own_T, -torch.inf)

    def add(self, piece: _Piece) -> None:
        score_RT = piece.score_RT
        place_T = self._number_T - piece.first
        here = ((place_T >= 0) & (place_T < len(score_RT))).nonzero()[:, 0]
        score_RT[place_T[here], here] = -torch.inf
        self._twice_T += (score_RT > self._above_T).sum(dim=0)
        self._twice_T += (score_RT >= self._least_T).sum(dim=0)
        self._highest_T = torch.maximum(self._highest_T, piece.highest_T)

    def ranks(self) -> Tensor:
        is_number_T = self._own_T.isfinite() & (self._highest_T < torch.inf)
        return (self._twice_T / 2).masked_fill(~is_number_T, torch.nan)


class _Best:
    """Keeps, piece by piece, what scores best; most pieces have nothing for most states once some were seen."""

    def __init__(self, state_TD: Tensor, count: int) -> None:
        shape = len(state_TD), count
        self._score_TK = state_TD.new_full(shape, -torch.inf)
        self._number_TK = torch.full(shape, -1, device=state_TD.device)

    def add(self, piece: _Piece) -> None:
        better_B = (piece.highest_T > self._score_TK[:, -1]).nonzero()[:, 0]
        if not len(better_B):
            return
        count = self._score_TK.shape[1]
        found = piece.score_RT[:, better_B].T.topk(min(count, len(piece.score_RT)))
        score = torch.cat([self._score_TK[better_B], found.values], dim=1)
        number = torch.cat([self._number_TK[better_B], found.indices + piece.first], dim=1)
        kept = score.topk(count)
        self._score_TK[better_B] = kept.values
        self._number_TK[better_B] = number.gather(1, kept.indices)

    def found(self) -> Best:
        return Best(self._score_TK, self._number_TK.masked_fill(self._score_TK == -torch.inf, -1))
