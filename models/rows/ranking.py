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
    """Scores of some rows, -inf where a row does not count; the next piece is written over them."""

    first: int
    score_TR: Tensor
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
    state_TD: Tensor, targets: Targets, blocks: Blocks, count: int, *,
    allowed_N: Tensor | None = None, hidden: Hidden | None = None,
) -> tuple[Tensor, Best]:  # fmt: skip
    """Return what `ranks` and `best` do, from one pass over the table."""
    ranked, found = _Ranks(state_TD, targets), _Best(state_TD, count)
    for piece in _pieces(state_TD, blocks, allowed_N, hidden):
        found.add(piece)
        ranked.add(piece)
    return ranked.ranks(), found.found()


def _pieces(state_TD: Tensor, blocks: Blocks, allowed_N: Tensor | None, hidden: Hidden | None) -> Iterator[_Piece]:
    size = max(SCORES_AT_ONCE // max(len(state_TD), 1), FEWEST_ROWS)
    nothing = torch.empty(0, dtype=torch.int64, device=state_TD.device)
    state_H, row_H = hidden or Hidden(nothing, nothing)
    row_H, order_H = row_H.sort()
    state_H = state_H[order_H]
    scores = _Room(state_TD.dtype, state_TD.device)
    for start, row_ND in blocks:
        edges = [*range(start, start + len(row_ND), size), start + len(row_ND)]
        within = torch.searchsorted(row_H, torch.tensor(edges, device=row_H.device)).tolist()
        for (first, end), (low, high) in zip(pairwise(edges), pairwise(within), strict=True):
            score_TR = scores.of(len(state_TD), end - first)
            with torch.autocast(state_TD.device.type, enabled=False):
                torch.mm(state_TD, row_ND[first - start : end - start].T, out=score_TR)
            if allowed_N is not None:
                score_TR.index_fill_(1, (~allowed_N[first:end]).nonzero()[:, 0], -torch.inf)
            score_TR[state_H[low:high], row_H[low:high] - first] = -torch.inf
            yield _Piece(first, score_TR, score_TR.amax(dim=1))


class _Room:
    """Memory that is written over: taken anew for every piece, it costs as much as the products that go there."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._room = torch.empty(0, dtype=dtype, device=device)

    def of(self, rows: int, columns: int) -> Tensor:
        if self._room.numel() < rows * columns:
            self._room = self._room.new_empty(rows * columns)
        return self._room[: rows * columns].view(rows, columns)


class _Ranks:
    """Counts, piece by piece, what scores as well as the targets; the target itself is left out by its number."""

    def __init__(self, state_TD: Tensor, targets: Targets) -> None:
        number_T, row_TD = targets
        self._number_T = number_T
        self._own_T = (state_TD * row_TD).sum(dim=1)
        norms_T1 = state_TD.norm(dim=1, keepdim=True) * row_TD.norm(dim=1, keepdim=True)
        rounding_T1 = ROUNDING * torch.finfo(row_TD.dtype).eps * norms_T1
        self._above_T1, self._least_T1 = (self._own_T[:, None] + off_T1 for off_T1 in (rounding_T1, -rounding_T1))
        self._flags = _Room(torch.float32, state_TD.device)  # numbers, as these are added much faster than flags
        self._twice_T = torch.zeros_like(self._own_T, dtype=torch.float64)
        self._highest_T = torch.full_like(self._own_T, -torch.inf)

    def add(self, piece: _Piece) -> None:
        place_T = self._number_T - piece.first
        here = ((place_T >= 0) & (place_T < piece.score_TR.shape[1])).nonzero()[:, 0]
        piece.score_TR[here, place_T[here]] = -torch.inf
        flag_TR = self._flags.of(*piece.score_TR.shape)
        self._twice_T += torch.gt(piece.score_TR, self._above_T1, out=flag_TR).sum(dim=1)
        self._twice_T += torch.ge(piece.score_TR, self._least_T1, out=flag_TR).sum(dim=1)
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
        found = piece.score_TR[better_B].topk(min(count, piece.score_TR.shape[1]))
        score = torch.cat([self._score_TK[better_B], found.values], dim=1)
        number = torch.cat([self._number_TK[better_B], found.indices + piece.first], dim=1)
        kept = score.topk(count)
        self._score_TK[better_B] = kept.values
        self._number_TK[better_B] = number.gather(1, kept.indices)

    def found(self) -> Best:
        return Best(self._score_TK, self._number_TK.masked_fill(self._score_TK == -torch.inf, -1))
