"""Who must be beaten: what one number says, and what a plain logistic regression makes of all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.metrics import log_odds
from models.risk.network import PARTIES
from models.risk.rows import INPUTS, Floats, Rows

BOTH = 2
"""Kinds of label there are."""


class ShareOfBad:
    """The share of bad in what the receiving party got, as of the day before."""

    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """Return log-odds of bad, (B,), for inputs (B, 2 + F)."""
        return log_odds(inputs[:, INPUTS.index("to_got_bad_share")].astype(np.float64))


class Logistic:
    """Logistic regression on the same features, each over its deviation.

    Args:
        rows: With labels.

    Raises:
        ValueError: They are all of one kind.
    """

    def __init__(self, rows: Rows) -> None:
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        kinds = np.unique(rows.labels)
        if len(kinds) < BOTH:
            seen = "bad" if kinds.sum() else "good"
            raise ValueError(
                f"all {len(rows.labels):,} known transactions with a label are {seen}: what makes a difference cannot "
                "be learned from them. Bring logs that have both kinds."
            )
        self._pipeline = make_pipeline(
            SimpleImputer(add_indicator=True, keep_empty_features=True),  # an unknown number: its mean, and a sign
            StandardScaler(),
            LogisticRegression(C=0.1, max_iter=1_000),
        )
        self._pipeline.fit(rows.inputs[:, PARTIES:].astype(np.float64), rows.labels)

    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """Return log-odds of bad, (B,), for inputs (B, 2 + F)."""
        found: NDArray[np.float64] = self._pipeline.decision_function(inputs[:, PARTIES:].astype(np.float64))
        return found
