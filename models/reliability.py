"""How far chances can be counted on, as evidence has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from data_contracts.evidence import Reliability
from models.metrics import Scores, calibration


def reliabilities(scores: Mapping[str, Scores]) -> Iterator[tuple[str, Reliability]]:
    """Yield contestants, and how far their chances can be counted on; none that gave no number, or was not asked."""
    for name, score in scores.items():
        state = score.state()
        if not np.isnan(state).any() and state.any():
            found = calibration(state)
            counts = tuple(np.rint(found.weight).astype(int).tolist())
            yield name, Reliability(predicted=tuple(found.predicted), seen=tuple(found.seen), counts=counts)
