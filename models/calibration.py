"""Chances that can be counted on: scores of yes or no, stretched and moved to fit what came.

Source: Platt, "Probabilistic outputs for support vector machines", 1999; Guo et al., "On calibration of modern neural
networks", ICML 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.metrics import Floats

LEAST_SCALE = 1e-3
"""Whose scores go the wrong way is hardly listened to, but the order stays."""


class Calibration(NamedTuple):
    """What is done to log-odds.

    Attributes:
        scale: Positive: who is ahead of whom stays as it is.
        offset: Added after it.
    """

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Return calibrated log-odds."""
        return self.scale * log_odds + self.offset


def calibrated(log_odds: Floats, targets: NDArray[np.bool_]) -> Calibration:
    """Return what makes the log loss of scores least; nothing is done where there are none.

    As in the paper, nothing that came counts as wholly sure, so there is a best scale also where both kinds are told
    apart without a mistake.

    Args:
        log_odds: Scores, (rows,), finite.
        targets: What came, (rows,).
    """
    from sklearn.linear_model import LogisticRegression

    if not len(targets):
        return Calibration()
    yes, no = int(targets.sum()), int((~targets).sum())
    even = float(np.log((yes + 1) / (no + 1)))
    if not np.ptp(log_odds):
        return Calibration(1.0, even - float(log_odds[0]))
    weight = np.where(targets, (yes + 1) / (yes + 2), 1 / (no + 2))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", max_iter=1_000)
    kinds = np.repeat([1, 0], len(targets))
    model.fit(np.tile(log_odds, 2)[:, None], kinds, sample_weight=np.concatenate([weight, 1 - weight]))
    scale, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if scale < LEAST_SCALE:
        return Calibration(LEAST_SCALE, even)
    return Calibration(scale, offset)
