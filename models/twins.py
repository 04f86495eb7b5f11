"""Rows that are nearly the same, found by a few numbers of each: what was there before does not judge.

Rows are arrays of numbers, never objects, and pairs of them are looked at a bounded number at a time. Shape letters:
N and M rows, B bands of a row, K keys of a row, P pairs of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

ROWS_AT_ONCE = 2**16
"""Older rows that are looked through together."""
PAIRS_AT_ONCE = 2**18
"""Pairs that are compared together, about."""


class Likeness(NamedTuple):
    """When rows are twins.

    Attributes:
        keys: From bands, (N, B), to numbers, (N, K), of which twins share one at the same place.
        are_twins: Says of pairs that share one, by the bands of both, (P, B), whether they are; None where all are.
    """

    keys: Callable[[Numbers], Numbers]
    are_twins: Callable[[Numbers, Numbers], Flags] | None


A_SHARED_BAND = Likeness(lambda band_NB: band_NB, None)
"""Rows are twins that have a band in common."""


class Twins:
    """Some rows, ready to be asked which others are their twins.

    Args:
        band_NB: Of each row.
        likeness: When rows are twins.
    """

    def __init__(self, band_NB: Numbers, likeness: Likeness = A_SHARED_BAND) -> None:
        self._likeness = likeness
        self._all_NB = band_NB
        self._first_U = _first_of_equals(band_NB)
        self._band_UB = band_NB[self._first_U]
        self._sorted: list[tuple[Numbers, Numbers]] = []
        for key_U in likeness.keys(self._band_UB).T:
            order_U = np.argsort(key_U, kind="stable")
            self._sorted.append((key_U[order_U], order_U))

    def met(self, band_MB: Numbers) -> Flags:
        """Say which of other rows are a twin of one of these, (M,)."""
        found_M = np.zeros(len(band_MB), np.bool_)
        for other_P, _ in self._pairs(band_MB):
            found_M[other_P] = True
        return found_M

    def again(self) -> Flags:
        """Say which of these rows are a twin of one before them, (N,)."""
        found_N = np.zeros(len(self._all_NB), np.bool_)
        for other_P, own_P in self._pairs(self._all_NB):
            found_N[other_P[self._first_U[own_P] < other_P]] = True
        return found_N

    def _pairs(self, band_MB: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield twins: numbers of other rows, and which of the different ones of these, (P,) each."""
        are_twins = self._likeness.are_twins
        for key_M, (sorted_U, order_U) in zip(self._likeness.keys(band_MB).T, self._sorted, strict=True):
            start_M = np.searchsorted(sorted_U, key_M)
            count_M = np.searchsorted(sorted_U, key_M, side="right") - start_M
            if are_twins is None:
                count_M = np.minimum(count_M, 1)  # the first one says it
            for some in _pieces(count_M):
                count = count_M[some]
                other_P = np.repeat(some, count)
                ahead_P = np.arange(len(other_P)) - np.repeat(np.cumsum(count) - count, count)
                own_P = order_U[np.repeat(start_M[some], count) + ahead_P]
                if are_twins is not None:
                    same_P = are_twins(band_MB[other_P], self._band_UB[own_P])
                    other_P, own_P = other_P[same_P], own_P[same_P]
                yield other_P, own_P


def seen_before(band_NB: Numbers, older: Iterable[Numbers], likeness: Likeness = A_SHARED_BAND) -> Flags:
    """Say which rows are a twin of an older one, or of one before them, (N,).

    Args:
        band_NB: In order.
        older: Bands of others, some rows after others.
        likeness: When rows are twins.
    """
    found_N = Twins(band_NB, likeness).again()
    for piece in _gathered(older):
        left = np.flatnonzero(~found_N)
        found_N[left] = Twins(piece, likeness).met(band_NB[left])
    return found_N


def _first_of_equals(band_NB: Numbers) -> Numbers:
    """Return the number of the first of each kind of row, in order."""
    if not len(band_NB):
        return np.empty(0, np.int64)
    whole = np.ascontiguousarray(band_NB).view(np.dtype((np.void, band_NB.itemsize * band_NB.shape[1]))).ravel()
    return np.sort(np.unique(whole, return_index=True)[1])


def _pieces(count_M: Numbers) -> list[Numbers]:
    """Cut the numbers of rows so that about `PAIRS_AT_ONCE` pairs come together."""
    there = np.flatnonzero(count_M)
    ends = np.cumsum(count_M[there]) // PAIRS_AT_ONCE
    return np.split(there, np.flatnonzero(np.diff(ends)) + 1) if len(there) else []


def _gathered(pieces: Iterable[Numbers]) -> Iterator[Numbers]:
    held: list[Numbers] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= ROWS_AT_ONCE:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)
