"""How good ranks are: pure functions, averaged over targets within a user, then over users.

A rank counts from 0: the items strictly better than the target, plus half of the others that are equal. A miss has
rank infinity; a model that diverged has rank NaN, and so do all its means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Metrics

METRICS = Metrics(
    primary="ndcg@10",
    shown=("hr@5", "hr@10", "hr@20", "ndcg@10", "mrr", "coverage@10"),
    drawn=("hr@10", "ndcg@10"),
    whole=("coverage@10",),
    baselines=("popularity", "markov"),
    unit="user",
    window="all items ranked",
)
"""By what recommenders are compared."""
CUTOFFS = (5, 10, 20)
LIST_LENGTH = 10
"""Length of the list that NDCG and coverage look at."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def gains(rank: Floats) -> dict[str, Floats]:
    """Score every target by its rank.

    Args:
        rank: One a target, from 0; infinity is a miss, NaN stays NaN.

    Returns:
        `hr@5`, `hr@10`, `hr@20`, `ndcg@10` and `mrr`, each one number a target in [0, 1].

    Source:
        Krichene and Rendle, "On sampled metrics for item recommendation", 2020: every item is ranked.
    """
    unknown = np.isnan(rank)
    scored = {f"hr@{cutoff}": np.where(unknown, np.nan, rank < cutoff) for cutoff in CUTOFFS}
    scored[f"ndcg@{LIST_LENGTH}"] = (rank < LIST_LENGTH) / np.log2(rank + 2)
    scored["mrr"] = 1 / (rank + 1)
    return scored


def means_of_users(values: Floats, user: Numbers) -> Floats:
    """Average ``values`` within each user that has any, (users,), in the order of their numbers.

    Args:
        values: One a target.
        user: The target's user, from 0.

    Raises:
        ValueError: There is nothing to average.
    """
    if not len(values):
        raise ValueError("no targets to average over.")
    count = np.bincount(user)
    present = count > 0
    means: Floats = np.bincount(user, weights=values)[present] / count[present]
    return means


def rank_metrics(rank: Floats, user: Numbers) -> dict[str, float]:
    """Return every metric of `gains`.

    Args:
        rank: One a target, from 0.
        user: The target's user, from 0.

    Raises:
        ValueError: There is no target.
    """
    return {metric: float(means_of_users(values, user).mean()) for metric, values in gains(rank).items()}


def coverage(recommended: Flags, servable: Flags) -> float:
    """Return the share of the servable items that were recommended to somebody, in [0, 1]; 0 without such items."""
    return float((recommended & servable).sum() / max(servable.sum(), 1))


def head_items(popularity: Numbers, share: float = 0.8) -> Flags:
    """Mark the fewest most popular items that together make up ``share`` of the events; the others are the tail.

    Args:
        popularity: Events of each item; of equals, the lower position comes first.
        share: In (0, 1].
    """
    order = np.argsort(-popularity, kind="stable")
    before = np.cumsum(popularity[order]) - popularity[order]
    head = np.zeros(len(popularity), bool)
    head[order] = (before < share * popularity.sum()) & (popularity[order] > 0)
    return head
