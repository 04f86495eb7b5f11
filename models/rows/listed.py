"""Ranks rows by one list of scores that all targets share, but for a few rows of each: nothing is ever T x N.

Shape letters: T targets, N rows, E pairs of a target and a row, K best rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class Pairs(NamedTuple):
    """Rows that are another matter for one target; each pair stands once.

    Attributes:
        target_E: Number of the target.
        row_E: Number of the row.
    """

    target_E: Numbers
    row_E: Numbers


class Scored(NamedTuple):
    """Rows that score otherwise for one target than in the list.

    Attributes:
        pairs: Which.
        score_E: What they score.
    """

    pairs: Pairs
    score_E: Floats

    @classmethod
    def nothing(cls) -> Scored:
        """Let every row score as in the list."""
        none = np.empty(0, np.int64)
        return cls(Pairs(none, none), np.empty(0))


class Listed:
    """A list of scores.

    Args:
        score_N: Of each row, never NaN.
        allowed_N: Rows that count at all.
    """

    def __init__(self, score_N: Floats, allowed_N: Flags) -> None:
        by_score = np.argsort(-score_N, kind="stable")
        self._score_N = score_N
        self._allowed_N = allowed_N
        self._order = by_score[allowed_N[by_score]].astype(np.int32)
        self._ascending = score_N[self._order[::-1]]
        self._place_N = np.zeros(len(score_N), np.int32)
        self._place_N[self._order] = np.arange(len(self._order))

    def ranks(self, row_T: Numbers, hidden: Pairs, scored: Scored) -> Floats:
        """Count the rows that score better than each target, and half of the others that score the same.

        Args:
            row_T: The targets' rows. One that is hidden, or not allowed, is ranked all the same.
            hidden: Rows that do not count.
            scored: Rows that score otherwise.

        Returns:
            (T,), from 0.
        """
        own_T = self._score_N[row_T]
        is_own_E = scored.pairs.row_E == row_T[scored.pairs.target_E]
        own_T[scored.pairs.target_E[is_own_E]] = scored.score_E[is_own_E]
        own = Pairs(np.arange(len(row_T)), row_T)
        not_listed = self._joined(hidden, scored.pairs, own)
        scored = self._without(scored, hidden, own)
        left, right = (np.searchsorted(self._ascending, own_T, side) for side in ("left", "right"))
        twice_T = 2.0 * len(self._order) - left - right
        twice_T -= _twice(own_T, not_listed, self._score_N[not_listed.row_E])
        twice_T += _twice(own_T, *scored)
        rank_T: Floats = twice_T / 2
        return rank_T

    def best(self, targets: int, hidden: Pairs, scored: Scored, count: int) -> Numbers:
        """Return the ``count`` rows that score best for each of T ``targets``, best first; see `ranks`.

        Returns:
            (T, K); -1 where there are fewer.
        """
        place_TK = _free_places(targets, self._places(self._joined(hidden, scored.pairs)), count)
        order, score = np.append(self._order, -1), np.append(self._score_N[self._order], -np.inf)
        place_TK = np.minimum(place_TK, len(self._order))
        extra_TK, extra_score_TK = _first(targets, self._without(scored, hidden), count)
        row = np.concatenate([order[place_TK], extra_TK], axis=1)
        best = np.argsort(-np.concatenate([score[place_TK], extra_score_TK], axis=1), axis=1, kind="stable")
        found: Numbers = np.take_along_axis(row, best[:, :count], axis=1)
        return found

    def _places(self, pairs: Pairs) -> Pairs:
        return Pairs(pairs.target_E, self._place_N[pairs.row_E].astype(np.int64))

    def _joined(self, *some: Pairs) -> Pairs:
        """Return every pair of an allowed row once, sorted."""
        key_E = np.unique(np.concatenate([self._keys(pairs) for pairs in some]))
        pairs = Pairs(*np.divmod(key_E, len(self._score_N)))
        return _where(pairs, self._allowed_N[pairs.row_E])

    def _without(self, scored: Scored, *some: Pairs) -> Scored:
        """Leave pairs out, and rows that are not allowed."""
        left_out = np.concatenate([self._keys(pairs) for pairs in some])
        kept_E = self._allowed_N[scored.pairs.row_E] & ~np.isin(self._keys(scored.pairs), left_out)
        return Scored(_where(scored.pairs, kept_E), scored.score_E[kept_E])

    def _keys(self, pairs: Pairs) -> Numbers:
        return pairs.target_E * len(self._score_N) + pairs.row_E


def _where(pairs: Pairs, kept_E: Flags) -> Pairs:
    return Pairs(pairs.target_E[kept_E], pairs.row_E[kept_E])


def _twice(own_T: Floats, pairs: Pairs, score_E: Floats) -> Floats:
    """Count for each target the pairs that score better, twice, and those that score the same, once."""
    own_E = own_T[pairs.target_E]
    weight_E = (score_E > own_E) + 1.0 * (score_E >= own_E)
    return np.bincount(pairs.target_E, weights=weight_E, minlength=len(own_T)).astype(np.float64)


def _free_places(targets: int, taken: Pairs, count: int) -> Numbers:
    """Return the first ``count`` places, from 0, that are not taken for each target, (T, K).

    A taken place comes before the free place number j where no more than j free places come before it.
    """
    order = np.lexsort((taken.row_E, taken.target_E))
    target_E = taken.target_E[order]
    free_before_E = taken.row_E[order] - _number_within(target_E)
    counts = free_before_E < count
    taken_TK = np.zeros((targets, count), np.int64)
    np.add.at(taken_TK, (target_E[counts], free_before_E[counts]), 1)
    places: Numbers = np.arange(count) + taken_TK.cumsum(axis=1)
    return places


def _first(targets: int, scored: Scored, count: int) -> tuple[Numbers, Floats]:
    """Return the ``count`` pairs that score best for each target: rows and scores (T, K), else -1 and -inf."""
    order = np.lexsort((-scored.score_E, scored.pairs.target_E))
    target_E = scored.pairs.target_E[order]
    number_E = _number_within(target_E)
    first = number_E < count
    row_TK, score_TK = np.full((targets, count), -1), np.full((targets, count), -np.inf)
    at = target_E[first], number_E[first]
    row_TK[at], score_TK[at] = scored.pairs.row_E[order][first], scored.score_E[order][first]
    return row_TK, score_TK


def _number_within(target_E: Numbers) -> Numbers:
    """Number the entries of each target from 0; ``target_E`` is sorted."""
    numbers: Numbers = np.arange(len(target_E)) - np.searchsorted(target_E, target_E)
    return numbers
