"""How good scores of yes or no are: sums that add up over batches and processes, and every number that is made of them.

One state serves all: a histogram of log-odds, in bins so fine that ranks within one hardly matter (less than 1e-4 of
the area under the curve). Rows have weights, so a bootstrap over units draws weights and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 2**14
SURE = 16.0
"""Log-odds beyond which one is as sure as can be: a chance of 1e-7."""
NO, YES, CHANCE = range(3)
"""Rows of a state: weight of the targets that are 0, of those that are 1, and weight times predicted chance."""


def state(log_odds: NDArray[np.floating], targets: NDArray[np.number], weights: Floats | None = None) -> Floats:
    """Return what there is to know of some scores, (3, `BINS`); of more rows, states are added.

    Args:
        log_odds: Scores, (rows,): ln(p / (1 - p)) of the chance p that the target is 1.
        targets: 0 or 1, (rows,).
        weights: How often each row counts, (rows,); once when omitted.

    Returns:
        The sums, all NaN where a score is: a model that diverged has no metric.
    """
    return Scores.of(log_odds, targets).state(weights)


class Scores(NamedTuple):
    """Scores that are weighed again and again, as a bootstrap does.

    Attributes:
        bins: Of each row, (rows,); none where a score is NaN.
        columns: What each row adds to a state, (3, rows).
    """

    bins: NDArray[np.int64] | None
    columns: Floats

    @classmethod
    def of(cls, log_odds: NDArray[np.floating], targets: NDArray[np.number]) -> Scores:
        """Find the bins of scores, see `state`."""
        sure = np.clip(np.asarray(log_odds, np.float64), -SURE, SURE)
        columns = np.stack([targets == 0, targets == 1, chance(sure)])
        if np.isnan(sure).any():
            return cls(None, columns)
        return cls(np.minimum(((sure + SURE) * (BINS / (2 * SURE))).astype(np.int64), BINS - 1), columns)

    def state(self, weights: Floats | None = None) -> Floats:
        """Return the state of these rows, each as often as ``weights`` say."""
        if self.bins is None:
            return np.full((3, BINS), np.nan)
        columns = self.columns if weights is None else self.columns * weights
        return np.stack([np.bincount(self.bins, column, BINS) for column in columns])


def chance(log_odds: Floats) -> Floats:
    """Return the chance that log-odds stand for, in (0, 1)."""
    found: Floats = 1 / (1 + np.exp(-log_odds))
    return found


def log_odds(share: Floats) -> Floats:
    """Return the log-odds of a chance in [0, 1], at most as sure as `SURE`."""
    with np.errstate(divide="ignore"):
        found: Floats = np.clip(np.log(share) - np.log1p(-share), -SURE, SURE)
    return found


def area_under_curve(sums: Floats) -> float:
    """Return the chance that a target of 1 is scored above one of 0, ties at half; NaN where one kind is missing."""
    no, yes = sums[NO], sums[YES]
    below = np.cumsum(no) - no / 2
    return over((yes * below).sum(), yes.sum() * no.sum())


def average_precision(sums: Floats) -> float:
    """Return the mean precision over all targets of 1, the best scored first; NaN where there is none."""
    yes = sums[YES][::-1]
    found, taken = np.cumsum(yes), np.cumsum(sums[NO][::-1]) + np.cumsum(yes)
    there = yes > 0
    return over(yes[there] @ (found[there] / taken[there]), yes.sum())


def log_loss(sums: Floats) -> float:
    """Return the mean of -ln of the chance given to what came, nats."""
    weight = sums[NO] + sums[YES]
    filled = ~(weight == 0)
    given = sums[CHANCE][filled] / weight[filled]
    loss = -(sums[YES][filled] @ np.log(given) + sums[NO][filled] @ np.log1p(-given))
    return over(loss, weight.sum())


class Calibration(NamedTuple):
    """Rows in order of their predicted chance, in groups of about equal weight; each (groups,).

    Attributes:
        predicted: Mean predicted chance.
        seen: Share of targets that are 1.
        weight: Of the rows.
    """

    predicted: Floats
    seen: Floats
    weight: Floats


def calibration(sums: Floats, groups: int = 15) -> Calibration:
    """Say what came, beside what was predicted. A bin is never parted: where many are equal, groups are fewer."""
    weight = sums[NO] + sums[YES]
    middle = np.cumsum(weight) - weight / 2
    group = np.minimum((middle / max(weight.sum(), 1e-300) * groups).astype(np.int64), groups - 1)
    total, yes, predicted = np.stack([np.bincount(group, row, groups) for row in (weight, sums[YES], sums[CHANCE])])
    there = total > 0
    return Calibration(predicted[there] / total[there], yes[there] / total[there], total[there])


def calibration_error(sums: Floats, groups: int = 15) -> float:
    """Return how far predicted chances are from what came, in the mean over groups of about equal weight."""
    if np.isnan(sums).any():
        return float("nan")
    found = calibration(sums, groups)
    return over((found.weight * np.abs(found.predicted - found.seen)).sum(), found.weight.sum())


def over(part: float, whole: float) -> float:
    """Return one sum over another; NaN over nothing."""
    return float(part / whole) if whole else float("nan")
