"""What comes of taking for yes whatever is likely enough, and where to draw the line; of sums by `models.metrics`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.metrics import BINS, NO, SURE, YES, Floats, log_odds, over

NEARLY = 1e-12


class Decided(NamedTuple):
    """Weights of the targets by what they are, and what they are taken for.

    Attributes:
        found: 1, and taken for it.
        missed: 1, and taken for 0.
        alarms: 0, and taken for 1.
        passed: 0, and taken for it.
    """

    found: float
    missed: float
    alarms: float
    passed: float

    @property
    def accuracy(self) -> float:
        """Share of the targets that are taken for what they are."""
        return over(self.found + self.passed, sum(self))

    @property
    def sensitivity(self) -> float:
        """Share of the targets of 1 that are found; NaN where there is none."""
        return over(self.found, self.found + self.missed)

    @property
    def specificity(self) -> float:
        """Share of the targets of 0 that are passed; NaN where there is none."""
        return over(self.passed, self.passed + self.alarms)


def decided(sums: Floats, threshold: float) -> Decided:
    """Say what comes of taking for 1 whatever has log-odds of ``threshold`` or more, to the precision of a bin."""
    edge = round((min(max(threshold, -SURE), SURE) + SURE) * (BINS / (2 * SURE)))
    no, yes = sums[NO], sums[YES]
    return Decided(*(float(each.sum()) for each in (yes[edge:], yes[:edge], no[edge:], no[:edge])))


def threshold_of(sums: Floats, specificity: float) -> float:
    """Return the lowest log-odds from which on so large a share of the targets of 0 is passed; 0 without any."""
    passed = np.concatenate([[0.0], np.cumsum(sums[NO])])
    if not passed[-1] > 0:
        return 0.0
    edge = int(np.argmax(passed >= specificity * passed[-1]))
    return edge * (2 * SURE / BINS) - SURE


def best_threshold(sums: Floats) -> float:
    """Return the log-odds from which on sensitivity and specificity together are highest; 0 where one kind is missing.

    Of thresholds that are equally good, those beside each other, it is the one in the middle.

    Source: Youden, "Index for rating diagnostic tests", 1950.
    """
    no, yes = (np.concatenate([[0.0], np.cumsum(each)]) for each in (sums[NO], sums[YES]))
    if not (no[-1] > 0 and yes[-1] > 0):
        return 0.0
    together = no / no[-1] - yes / yes[-1]
    best = together >= together.max() - NEARLY
    first = int(np.argmax(best))
    last = first + int(np.argmin(np.append(best[first:], False))) - 1
    return (first + last) / 2 * (2 * SURE / BINS) - SURE


def cost(sums: Floats, threshold: float, *, of_missed: float, of_alarm: float) -> float:
    """Return what it costs in the mean to take for 1 whatever is at least as likely as ``threshold``.

    Args:
        sums: A state.
        threshold: A chance in (0, 1), to the precision of a bin.
        of_missed: Cost of a target of 1 that is taken for 0.
        of_alarm: Cost of a target of 0 that is taken for 1.
    """
    found = decided(sums, float(log_odds(np.array([threshold]))[0]))
    return over(of_missed * found.missed + of_alarm * found.alarms, sum(found))
