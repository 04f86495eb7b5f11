"""What is judged: the targets of one window, what came before each, and what must not be recommended there."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

from data_contracts.buckets import BUCKETS
from data_contracts.contract import DataContract
from data_contracts.days import start_of
from data_contracts.job import EvaluateJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.state import MAX_SEEN, STATE, merged
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig
from models.recommender.layout import Judged, chunks, first_met, lay_out, lay_out_states, live, nightly

logger = logging.getLogger(__name__)

EXAMPLES_AT_ONCE = 20_000
"""Examples read at once, with what their users have seen: at most ``max_seen`` items each."""


class JudgedWindow:
    """The window that judges, read in ranges of users, so that memory does not grow with their number.

    A window judges its own days: what came late is history for who did it, and no target here.

    Args:
        job: Names the tables and the window.
        config: Says which events are targets, and whether repeats are.

    Attributes:
        counts: What `batches` has read so far.
    """

    def __init__(self, job: EvaluateJob, config: RecommenderConfig) -> None:
        self.job = job
        self.config = config
        names = ("window_units", "window_targets", "shared_moments", "units", "targets", "repeats_dropped")
        self.counts: Counter[str] = Counter(dict.fromkeys(names, 0))

    def batches(self, targets_at_once: int, examples_at_once: int = EXAMPLES_AT_ONCE) -> Iterator[Judged]:
        """Yield every target once, about ``targets_at_once`` at a time; about ``examples_at_once`` are read at once."""
        examples = self._dataset(EXAMPLES).count_rows(filter=pc.field("window") == self.job.window)
        ranges = min(max(examples // examples_at_once, 1), BUCKETS)
        for number in range(ranges):
            first, end = number * BUCKETS // ranges, (number + 1) * BUCKETS // ranges
            yield from self._range((pc.field("bucket") >= first) & (pc.field("bucket") < end), targets_at_once)
            done = f"{number + 1} of {ranges} ranges of users, {self.counts['targets']:,} targets"
            logger.info("window %s: judged %s", self.job.window, done)

    def _range(self, buckets: pc.Expression, targets_at_once: int) -> Iterator[Judged]:
        columns = ["user_id", "context", "context_timestamp", "target", "target_event", "target_timestamp"]
        examples = self._of_frequent_users(self._read(EXAMPLES, self.job.window, buckets, columns), buckets)
        users = examples.select(pl.col("user_id").unique().sort()).with_row_index("user", self.counts["window_units"])
        users = users.join(self._before(users, buckets), on="user_id", how="left", maintain_order="left")
        of_user = users.select("user_id", "user", "last_time", is_new=pl.col("seen").is_null())
        events = lay_out(examples.join(of_user, on="user_id", maintain_order="left"))
        met = first_met(users, events) if self.config.exclude_seen else first_met(users.clear(), events.clear())
        states = None if self.job.first_day is None else lay_out_states(users)
        for targets in chunks(self._judged(events, met), targets_at_once):
            yield Judged(live(targets, events, met), None if states is None else nightly(targets, states, met))

    def _judged(self, events: pl.DataFrame, met: pl.DataFrame) -> pl.DataFrame:
        """Return the targets that count, and count those that do not."""
        first_day = self.job.first_day
        own = pl.lit(value=True) if first_day is None else pl.col("time") >= start_of(first_day, self.job.day_zone)
        every = events.filter("is_target", own)
        wanted = pl.col("kind").is_in(self.config.target_events) if self.config.target_events else pl.lit(value=True)
        targets = every.filter(wanted).join(met, on=["user", "item"], how="left", maintain_order="left")
        is_repeat = (pl.col("first_place") < pl.col("place")).fill_null(value=False)
        judged = targets.filter(~is_repeat).select("user", "example", "place", "item", "is_new")
        shared = pl.struct("user", "time").is_duplicated() | (pl.col("time") == pl.col("last_time")).fill_null(
            value=False
        )
        self.counts["window_units"] += every["user"].n_unique()
        self.counts["window_targets"] += every.height
        self.counts["shared_moments"] += every.filter(shared).height
        self.counts["units"] += judged["user"].n_unique()
        self.counts["targets"] += judged.height
        self.counts["repeats_dropped"] += targets.height - judged.height
        return judged

    def _before(self, users: pl.DataFrame, buckets: pc.Expression) -> pl.DataFrame:
        """Return what the users did before the window, of those that did, by their rows of known windows.

        Columns ``user_id``, ``items`` (the last L), ``timestamps``, ``last_time``, ``seen``.
        """
        columns = ["user_id", "items", "timestamps", "seen"]
        where = pc.field("window").isin(self.job.known_windows) & buckets
        rows = pl.DataFrame(self._dataset(STATE).to_table(columns=[*columns, "window"], filter=where)).lazy()
        own = rows.join(users.lazy().select("user_id"), on="user_id", how="semi")
        max_seen = Table(self.job.tables.folder, STATE).mark(MAX_SEEN, self.job.tables.versions[STATE.name])
        known = merged(own, max_seen)
        return known.select(*columns, last_time=pl.col("timestamps").list.last()).collect()

    def _of_frequent_users(self, examples: pl.DataFrame, buckets: pc.Expression) -> pl.DataFrame:
        """Leave out users with fewer than ``min_user_count`` events by the window's end."""
        if self.config.min_user_count == 1:
            return examples
        users = self._read(STATE, self.job.window, buckets, ["user_id", "event_count"])
        frequent = users.filter(pl.col("event_count") >= self.config.min_user_count)
        return examples.join(frequent, on="user_id", how="semi", maintain_order="left")

    def _read(self, contract: DataContract, window: str, buckets: pc.Expression, columns: list[str]) -> pl.DataFrame:
        where = (pc.field("window") == window) & buckets
        return pl.DataFrame(self._dataset(contract).to_table(columns=columns, filter=where))

    def _dataset(self, contract: DataContract) -> ds.Dataset:
        return Table(self.job.tables.folder, contract).dataset(self.job.tables.versions[contract.name])
