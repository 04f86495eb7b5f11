"""Popularity and Markov counts in plain NumPy, straight from their definition: nothing of the house is imported.

Shape letters: E events, T targets, N items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LIST_LENGTH = 10
DAY = 86_400 * 10**6
TARGETS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Log:
    """Events by user and time, those of one moment by xxhash64 of the event; users and items are numbers from 0.

    Attributes:
        user: (E,).
        item: (E,).
        time: (E,), microseconds since 1970.
        items: N.
        shared: Share of the events that have their user's moment with another one.
    """

    user: Numbers
    item: Numbers
    time: Numbers
    items: int
    shared: float

    @classmethod
    def of(cls, events: pl.DataFrame) -> Log:
        """Put ``user_id``, ``item_id``, ``event`` and ``timestamp`` (us, UTC) in order, each row once."""
        microseconds = pl.col("timestamp").dt.epoch("us")
        text = plh.concat_str(
            microseconds, pl.col("user_id", "item_id").str.len_bytes(), "user_id", "item_id", "event", separator=" "
        )
        rows = events.unique().with_columns(place=text.nchash.xxhash64()).sort("user_id", "timestamp", "place")
        number = pl.col("user_id", "item_id").rank("dense").cast(pl.Int64) - 1
        user, item, time = (column.to_numpy() for column in rows.select(number, microseconds))
        shared = rows.select(pl.struct("user_id", "timestamp").is_duplicated().mean()).item()
        return cls(user, item, time, rows["item_id"].n_unique(), float(shared))

    def previous(self) -> Numbers:
        """Return the item before each event, -1 before a user's first."""
        first = np.r_[True, self.user[1:] != self.user[:-1]]
        return np.where(first, -1, np.roll(self.item, 1))

    def repeats(self) -> Flags:
        """Return whether an event's user met its item before."""
        pair = self.user * self.items + self.item
        again = np.ones(len(pair), dtype=bool)
        again[np.unique(pair, return_index=True)[1]] = False
        return again


@dataclass(frozen=True)
class Scores:
    """What both baselines know; weights are 1 for an event that counts.

    Attributes:
        popularity_N: Events of each item, and as a fraction how popular it was at any time.
        followed_NN: How often each item followed another.
    """

    popularity_N: Floats
    followed_NN: Floats

    @classmethod
    def count(cls, log: Log, weight_E: Floats, known_E: Flags) -> Scores:
        """Count events by their weights; what is known, and weighs nothing, decides between equals."""
        previous_E = log.previous()
        ever_N = np.bincount(log.item[known_E], minlength=log.items)
        popularity_N = np.bincount(log.item, weight_E, log.items) + ever_N / (ever_N.max() + 1)
        pair_E = previous_E * log.items + log.item
        paired_E = previous_E >= 0
        followed = np.bincount(pair_E[paired_E], weight_E[paired_E], log.items**2).astype(np.float64)
        return cls(popularity_N, followed.reshape(log.items, log.items))

    def of(self, baseline: str, previous_T: Numbers) -> Floats:
        """Return (T, N)."""
        if baseline == "popularity":
            return np.tile(self.popularity_N, (len(previous_T), 1))
        scores_TN: Floats = self.followed_NN[previous_T] + self.popularity_N / (self.popularity_N.max() + 1)
        return scores_TN


def judge(
    log: Log, scores: Scores, target_E: Flags, known_E: Flags, *, hidden: int | None = None
) -> dict[str, tuple[float, float]]:
    """Rank all known items but those that the user met before, for every target that is no repeat.

    Args:
        log: The events.
        scores: Of the baselines.
        target_E: Events to judge.
        known_E: Events whose items may be recommended.
        hidden: Of what the user met before only so many events are hidden, the last ones; all when None.

    Returns:
        Baseline to HR@10 and NDCG@10: ties at half rank, averaged over a user's targets, then over users.
    """
    previous_E, servable_N = log.previous(), np.bincount(log.item[known_E], minlength=log.items) > 0
    target_T = np.flatnonzero(target_E & ~log.repeats() & (previous_E >= 0))
    found = {}
    for baseline in ("popularity", "markov"):
        rank_T = np.concatenate([
            _ranks(log, scores.of(baseline, previous_E[chunk]), chunk, servable_N, hidden)
            for chunk in np.array_split(target_T, -(-len(target_T) // TARGETS_AT_ONCE))
        ])  # fmt: skip
        hit_T = rank_T < LIST_LENGTH
        gains = pl.DataFrame({"user": log.user[target_T], "hr": hit_T, "ndcg": hit_T / np.log2(rank_T + 2)})
        hit_rate, ndcg = gains.group_by("user").mean().select("hr", "ndcg").mean().row(0)
        found[baseline] = float(hit_rate), float(ndcg)
    return found


def _ranks(log: Log, scores_TN: Floats, target_T: Numbers, servable_N: Flags, hidden: int | None) -> Floats:
    """Return ranks from 0: the better ones, and half of the equal ones; infinity for an item that nobody may serve."""
    scores_TN[:, ~servable_N] = -np.inf
    begin_T = np.searchsorted(log.user, log.user[target_T])
    begin_T = begin_T if hidden is None else np.maximum(begin_T, target_T - hidden)
    for row, (begin, target) in enumerate(zip(begin_T, target_T, strict=True)):
        scores_TN[row, log.item[begin:target]] = -np.inf
    own_T1 = scores_TN[np.arange(len(target_T)), log.item[target_T]][:, None]
    rank_T = (scores_TN > own_T1).sum(axis=1) + ((scores_TN == own_T1).sum(axis=1) - 1) / 2
    return np.where(np.isfinite(own_T1[:, 0]), rank_T, np.inf)
