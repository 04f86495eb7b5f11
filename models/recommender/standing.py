"""How a contestant does, target by target, at each degree of freshness."""

from __future__ import annotations

import numpy as np
import polars as pl

from data_contracts.evidence import NIGHTLY
from models.recommender.contestants import Contestant
from models.recommender.layout import Batch, Judged
from models.recommender.metrics import (
    LIST_LENGTH,
    Flags,
    Floats,
    coverage,
    gains,
    means_of_users,
    rank_metrics,
)


class Standing:
    """The ranks that a contestant gave to targets, fresh and as of the window's start."""

    def __init__(self, contestant: Contestant) -> None:
        self._live = _Ranked(contestant)
        self._nightly = _Ranked(contestant)

    def add(self, judged: Judged) -> None:
        """Let the contestant rank targets."""
        self._live.add(judged.live)
        if judged.nightly is not None:
            self._nightly.add(judged.nightly)

    def metrics(self, user: pl.Series, servable: Flags) -> dict[str, float]:
        """Average over everything added; what was added at no time has no metrics.

        Args:
            user: One a target, in the order in which they were added.
            servable: Items that may be recommended at all, (N + 1,).
        """
        nightly = self._nightly.metrics(user, servable)
        return self._live.metrics(user, servable) | {f"{metric}{NIGHTLY}": value for metric, value in nightly.items()}

    def of_targets(self, user: pl.Series, chosen: Flags) -> dict[str, float]:
        """Average over some targets alone, at least one, fresh; see `metrics`."""
        return rank_metrics(self._live.ranks()[chosen], user.to_numpy().astype(np.int64)[chosen])

    def of_users(self, user: pl.Series, metric: str) -> Floats:
        """Return a metric of each user that has a target, see `means_of_users`; fresh, as what decides is.

        Args:
            user: One a target, in the order in which they were added.
            metric: One of `gains`.
        """
        ranks = self._live.ranks()
        return means_of_users(gains(ranks)[metric], user.to_numpy().astype(np.int64)) if len(ranks) else ranks


class _Ranked:
    """Targets ranked by one contestant at one degree of freshness."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self._recommended = np.zeros(len(contestant.knows), bool)
        self._ranks: list[Floats] = []

    def add(self, batch: Batch) -> None:
        """Rank a batch of targets; one that the contestant does not know is a miss."""
        ranked = self.contestant.rank(batch)
        knows_T = self.contestant.knows[batch.targets["item"].to_numpy()]
        self._ranks.append(np.where(knows_T, ranked.rank_T, np.inf))
        self._recommended[ranked.best] = True

    def ranks(self) -> Floats:
        """Return the rank of every target."""
        return np.concatenate([np.empty(0), *self._ranks])

    def metrics(self, user: pl.Series, servable: Flags) -> dict[str, float]:
        """See `Standing.metrics`."""
        if not self._ranks:
            return {}
        share = coverage(self._recommended, servable)
        return rank_metrics(self.ranks(), user.to_numpy().astype(np.int64)) | {f"coverage@{LIST_LENGTH}": share}
