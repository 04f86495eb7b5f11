"""What a rank and the best rows are, by the whole matrix of scores: the definition, for a few rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Pairs = tuple[Numbers, Numbers]
"""Targets, and rows that are another matter for them."""


def ranks(score_TN: Floats, row_T: Numbers, allowed_N: NDArray[np.bool_], hidden: Pairs) -> Floats:
    """Count the others that may be recommended and score better, and half of those that score the same."""
    counts_TN = np.tile(allowed_N, (len(score_TN), 1))
    counts_TN[hidden] = False
    counts_TN[np.arange(len(row_T)), row_T] = False
    own_T1 = np.take_along_axis(score_TN, row_T[:, None], axis=1)
    return ((counts_TN & (score_TN > own_T1)).sum(axis=1) + (counts_TN & (score_TN == own_T1)).sum(axis=1) / 2).astype(
        float
    )


def best_scores(score_TN: Floats, allowed_N: NDArray[np.bool_], hidden: Pairs, count: int) -> list[list[float]]:
    """Return the scores of the best rows of each target, best first."""
    left_TN = np.where(allowed_N, score_TN, -np.inf)
    left_TN[hidden] = -np.inf
    return [sorted(scores[np.isfinite(scores)], reverse=True)[:count] for scores in left_TN]


def drawn_pairs(random: np.random.Generator, targets: int, rows: int) -> Pairs:
    """Draw some pairs, each at most once, in no order."""
    key = random.permutation(targets * rows)[: random.integers(0, targets * rows // 2 + 1)]
    target, row = np.divmod(key, rows)
    return target, row
