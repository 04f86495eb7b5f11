"""What a model must beat: popularity, and first-order Markov counts with popularity as tie-break.

Both count what is recent, the last ``recent_days`` before the judging window: a list of all time is one that nobody
would use. Where windows have no days (leave-one-out) they count all there is. Both are counted on training events only:
nothing that came with the judging window, and none of the validation targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow.compute as pc

from data_contracts.days import start_of
from data_contracts.job import EvaluateJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig
from models.recommender.counts import Days, Numbers, Scores, popular_lately
from models.recommender.layout import PADDING
from models.recommender.split import validates
from models.rows.listed import Pairs, Scored

ROWS_AT_ONCE = 8_192
"""Examples read at once; each holds at most L targets."""


class Popularity:
    """Ranks items by how often they were met, whatever came before.

    Args:
        counts: Training events of each item, float64 (N + 1,), what decides between equals as a fraction; row 0 is
            padding.
    """

    def __init__(self, counts: Scores) -> None:
        self.counts = counts

    @property
    def listed(self) -> Scores:
        """What each item scores, whatever came before, float64 (N + 1,)."""
        return self.counts

    def followed(self, _previous: Numbers) -> Scored:
        """Say which items score otherwise after each of T ``previous`` ones: none do."""
        return Scored.nothing()


class Markov:
    """Ranks items by how often they followed the last one; of equals, the more popular comes first.

    Args:
        transitions: ``previous``, ``item`` (int32, 1…N) and ``count`` of each consecutive pair, once.
        popularity: Decides between equals, and where the last item was never followed by anything.
    """

    def __init__(self, transitions: pl.DataFrame, popularity: Popularity) -> None:
        self.transitions = transitions
        self.tie_break: Scores = popularity.counts / (popularity.counts.max() + 1)

    @property
    def listed(self) -> Scores:
        """What each item scores that did not follow, float64 (N + 1,): popularity as a fraction."""
        return self.tie_break

    def followed(self, previous: Numbers) -> Scored:
        """Say which items followed each of T ``previous`` ones: whole part the transitions, fraction the popularity."""
        rows = pl.DataFrame({"row": np.arange(len(previous)), "previous": previous.astype(np.int32)})
        followed = rows.join(self.transitions, on="previous")
        item = followed["item"].to_numpy().astype(np.int64)
        return Scored(Pairs(followed["row"].to_numpy(), item), self.tie_break[item] + followed["count"].to_numpy())


def popularity(job: EvaluateJob, config: RecommenderConfig, known: Numbers) -> Popularity:
    """Return popularity lately; items not met lately come behind, by how often they were met before.

    Args:
        job: Names the tables, their windows and who validates.
        config: Says how many days are recent.
        known: Events of each of the tables' items in the known windows, (N + 1,).
    """
    days = Days.before(job.first_day, config.recent_days)
    held_back = _count(job, job.validation.window, days, validates(job.validation), len(known))
    if days is not None:  # what came late tonight
        held_back += _count(job, job.window, days, pl.lit(value=True), len(known))
    return Popularity(popular_lately(job.tables, days, known, held_back))


def transitions(job: EvaluateJob, config: RecommenderConfig) -> pl.DataFrame:
    """Count every consecutive pair of a user's events whose second is a recent training target of a kind that counts.

    Args:
        job: Names the tables, their windows and who validates.
        config: Says how many days are recent, and which kinds of event are targets.

    Returns:
        ``previous``, ``item`` (int32) and ``count``, each pair once.
    """
    wanted = pl.col("kind").is_in(config.target_events) if config.target_events else pl.lit(value=True)
    counted = pl.DataFrame(schema={"previous": pl.Int32, "item": pl.Int32, "count": pl.UInt32})
    days = Days.before(job.first_day, config.recent_days)
    for targets in _targets(job, job.known_windows, days, ~validates(job.validation)):
        pairs = targets.filter(wanted, pl.col("previous") != PADDING).group_by("previous", "item").len("count")
        counted = pl.concat([counted, pairs]).group_by("previous", "item").agg(pl.col("count").sum())
    return counted.sort("previous", "item")


def _count(job: EvaluateJob, window: str, days: Days | None, chosen: pl.Expr, length: int) -> Numbers:
    """Count the targets of each item in the chosen examples of a window, (length,)."""
    counts = np.zeros(length, np.int64)
    for targets in _targets(job, (window,), days, chosen):
        counts += np.bincount(targets["item"], minlength=length)
    return counts


def _targets(job: EvaluateJob, windows: Sequence[str], days: Days | None, chosen: pl.Expr) -> Iterator[pl.DataFrame]:
    """Yield the targets of chosen examples on ``days``, one a row: ``previous`` (0: none), ``item``, ``kind``."""
    reach_days = on_days = pl.lit(value=True)
    if days is not None:
        first, end = start_of(days.first, job.day_zone), start_of(days.end, job.day_zone)
        windows = [window for window in windows if window >= days.first.isoformat()]  # a key is a window's last day
        reach_days = pl.col("target_timestamp").list.last() >= first
        on_days = pl.col("time").is_between(first, end, closed="left")
    columns = ["user_id", "window", "context", "target", "target_event", "target_timestamp"]
    dataset = Table(job.tables.folder, EXAMPLES).dataset(job.tables.versions[EXAMPLES.name])
    of_windows = pc.field("window").isin(windows)
    last = pl.concat_list(pl.lit(PADDING, pl.Int32), "context").list.tail(1)
    previous = pl.concat_list(last, "target").list.head(pl.col("target").list.len())
    for batch in dataset.to_batches(columns=columns, filter=of_windows, batch_size=ROWS_AT_ONCE, batch_readahead=1):
        examples = pl.DataFrame(batch).filter(chosen, reach_days)
        lists = {"item": "target", "kind": "target_event", "time": "target_timestamp"}
        yield examples.select(previous=previous, **lists).explode("previous", *lists).filter(on_days)
