"""Answers requests: a picture in; out comes how likely the finding is. Shape letters: B pictures, S side of a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from data_contracts.medical.requests import ANSWERS, REQUESTS, SAYS
from models.medical.scorer import Scorer
from models.metrics import Floats, chance
from models.vision.predictor import decoded

YES, NO, ABSTAINS = SAYS


class MedicalPredictor:
    """See `models.use_case.Predictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle is not there.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema

    def __init__(self, folder: Path) -> None:
        self._scorer = Scorer.open(folder)

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row: `data_contracts.medical.requests` says what with.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        seen_BHWC = decoded(requests, self._scorer.record)
        if not len(seen_BHWC):
            return self.answer_schema.empty_table()
        log_odds_B = self._scorer.log_odds(seen_BHWC)
        map_BSS = self._scorer.saliency(seen_BHWC)
        pictures, side, _ = map_BSS.shape
        columns = [
            [self._scorer.reading.finding] * pictures,
            said(log_odds_B, self._scorer),
            chance(log_odds_B).astype(np.float32),
            map_BSS.reshape(pictures, -1).astype(np.float32).tolist(),
            [side] * pictures,
        ]
        return pa.table(columns, schema=self.answer_schema)


def said(log_odds_B: Floats, scorer: Scorer) -> list[str]:
    """Return what is said of each picture: one of `SAYS`."""
    band, chance_B = scorer.reading.abstains, chance(log_odds_B)
    unsure_B = np.zeros(len(log_odds_B), np.bool_) if band is None else (chance_B >= band.low) & (chance_B <= band.high)
    found: list[str] = np.where(unsure_B, ABSTAINS, np.where(log_odds_B >= scorer.threshold, YES, NO)).tolist()
    return found
