"""Gradient-boosted trees: the network's rival. Learned when the network is judged, and shipped instead if it is better.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`boosting.txt`          the trees, in LightGBM's own text: nothing in it runs
`model.json`            what answering needs to know of them
======================  ==================================================================================

There is no `training.json` in it: no network can go on from trees, and a night that asks for one starts from nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import lightgbm
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveInt

from data_contracts.bundle import FORMAT, in_todays_format
from models.risk.config import BoostingConfig
from models.risk.network import PARTIES
from models.risk.rows import INPUTS, Floats, Rows, feature_names
from models.risk.weights import RECORD, TREES, count_numbers
from models.weights import WeightsError

FIXED = {
    "objective": "binary",
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""What nobody needs to choose; the same rows and the same seed give the same trees, on however many cores."""


class BoostingRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the trees beside it.

    Attributes:
        format: Of the bundle.
        kind: What lies here.
        features: Names of its features, in order.
    """

    format: PositiveInt
    kind: Literal["boosting"] = "boosting"
    features: tuple[str, ...]


class Boosting:
    """Trees that answer. They look at the features, and at no party's number.

    Args:
        trees: Of LightGBM.
    """

    def __init__(self, trees: lightgbm.Booster) -> None:
        self.trees = trees

    @classmethod
    def of(cls, rows: Rows, config: BoostingConfig, seed: int) -> Boosting:
        """Learn from transactions that have a label."""
        settings = {
            **FIXED,
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.rows_of_leaf,
            "seed": seed,
            "num_threads": os.cpu_count() or 1,
        }
        names = feature_names(rows.inputs.shape[1] - len(INPUTS))
        learned = lightgbm.Dataset(rows.inputs[:, PARTIES:], rows.labels, feature_name=list(names), params=settings)
        return cls(lightgbm.train(settings, learned, config.rounds))

    @classmethod
    def load(cls, folder: Path) -> Boosting:
        """Read trees that answer.

        Raises:
            BundleFormatError: They are of a format that is newer than this code.
            FileNotFoundError: ``folder`` holds no trees.
            WeightsError: They were learned from other features, or cannot be read.
        """
        record = BoostingRecord.model_validate(in_todays_format(folder / RECORD, {}))
        count_numbers(record.features, folder)
        try:
            return cls(lightgbm.Booster(model_str=(folder / TREES).read_text(encoding="utf-8")))
        except lightgbm.basic.LightGBMError as error:
            raise WeightsError(f"the trees in {folder / TREES} cannot be read: {error}") from error

    def save(self, folder: Path) -> None:
        """Write them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TREES).write_text(self.trees.model_to_string(), encoding="utf-8")
        record = BoostingRecord(format=FORMAT, features=tuple(self.trees.feature_name()))
        (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")

    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """See `models.risk.scorers.Scorer`."""
        return np.asarray(self.trees.predict(self._seen(inputs), raw_score=True), np.float64)

    def moved_by(self, inputs: Floats) -> NDArray[np.float64]:
        """See `models.risk.scorers.Scorer`.

        Source:
            Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018 (TreeSHAP).
        """
        told = np.asarray(self.trees.predict(self._seen(inputs), pred_contrib=True), np.float64)
        return np.concatenate([np.zeros((len(inputs), PARTIES)), told[:, :-1]], axis=1)

    @property
    def numbers(self) -> int:
        """See `models.risk.scorers.Scorer`."""
        return int(self.trees.num_feature()) + PARTIES - len(INPUTS)

    def _seen(self, inputs: Floats) -> Floats:
        """Return the features, without numbers that came after these trees."""
        return inputs[:, PARTIES : PARTIES + self.trees.num_feature()]
