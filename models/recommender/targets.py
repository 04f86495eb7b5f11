"""What is judged: the targets of one window, what came before each, and what must not be recommended there."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

from data_contracts.contract import DataContract
from data_contracts.job import EvaluateJob
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.histories import BUCKETS, HISTORIES
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig

logger = logging.getLogger(__name__)

EXAMPLES_AT_ONCE = 20_000
"""Examples read at once, with what their users have seen: at most ``max_seen`` items each."""


@dataclass(frozen=True)
class Batch:
    """Targets judged together; the targets of one example are never parted.

    Attributes:
        targets: One row a target: ``user`` (numbered from 0 over the whole window), ``example``, ``place``, ``item``,
            ``is_new`` (the user has no history before the window).
        events: Every event of their examples, contexts included, by ``place``: ``example``, ``place``, ``item``.
        hidden: ``target`` (row of ``targets``), ``item``: seen before that target, so not to be recommended for it.
    """

    targets: pl.DataFrame
    events: pl.DataFrame
    hidden: pl.DataFrame


class JudgedWindow:
    """The window that judges, read in ranges of users, so that memory does not grow with their number.

    Args:
        job: Names the tables and the window.
        config: Says which events are targets, and whether repeats are.

    Attributes:
        counts: What `batches` has read so far.
    """

    def __init__(self, job: EvaluateJob, config: RecommenderConfig) -> None:
        self.job = job
        self.config = config
        names = ("window_users", "window_targets", "users", "new_users", "targets", "repeats_dropped")
        self.counts: Counter[str] = Counter(dict.fromkeys(names, 0))

    def batches(self, targets_at_once: int, examples_at_once: int = EXAMPLES_AT_ONCE) -> Iterator[Batch]:
        """Yield every target once, about ``targets_at_once`` at a time; about ``examples_at_once`` are read at once."""
        examples = self._dataset(EXAMPLES).count_rows(filter=pc.field("window") == self.job.window)
        ranges = min(max(examples // examples_at_once, 1), BUCKETS)
        for number in range(ranges):
            first, end = number * BUCKETS // ranges, (number + 1) * BUCKETS // ranges
            yield from self._range((pc.field("bucket") >= first) & (pc.field("bucket") < end), targets_at_once)
            done = f"{number + 1} of {ranges} ranges of users, {self.counts['targets']:,} targets"
            logger.info("window %s: judged %s", self.job.window, done)

    def _range(self, buckets: pc.Expression, targets_at_once: int) -> Iterator[Batch]:
        columns = ["user_id", "context", "target", "target_event", "target_timestamp"]
        examples = self._of_frequent_users(self._read(EXAMPLES, self.job.window, buckets, columns), buckets)
        users = examples.select(pl.col("user_id").unique().sort()).with_row_index("user", self.counts["window_users"])
        users = users.join(self._seen(users, buckets), on="user_id", how="left", maintain_order="left")
        events = _events(examples.join(users, on="user_id", maintain_order="left"))
        met = _first_met(users, events) if self.config.exclude_seen else _first_met(users.clear(), events.clear())
        yield from _batches(self._judged(events, met), events, met, targets_at_once)

    def _judged(self, events: pl.DataFrame, met: pl.DataFrame) -> pl.DataFrame:
        """Return the targets that count, and count those that do not."""
        every = events.filter("is_target")
        wanted = pl.col("kind").is_in(self.config.target_events) if self.config.target_events else pl.lit(value=True)
        targets = every.filter(wanted).join(met, on=["user", "item"], how="left", maintain_order="left")
        is_repeat = (pl.col("first_place") < pl.col("place")).fill_null(value=False)
        judged = targets.filter(~is_repeat).select("user", "example", "place", "item", "is_new")
        self.counts["window_users"] += every["user"].n_unique()
        self.counts["window_targets"] += every.height
        self.counts["users"] += judged["user"].n_unique()
        self.counts["new_users"] += judged.filter("is_new")["user"].n_unique()
        self.counts["targets"] += judged.height
        self.counts["repeats_dropped"] += targets.height - judged.height
        return judged

    def _seen(self, users: pl.DataFrame, buckets: pc.Expression) -> pl.DataFrame:
        """Return ``user_id``, ``seen`` of the users that have a history, from the newest window that has one."""
        wanted = users.select("user_id")
        found = [pl.DataFrame(schema={"user_id": pl.String, "seen": pl.List(pl.Int32)})]
        for window in reversed(self.job.known_windows):
            histories = self._read(HISTORIES, window, buckets, ["user_id", "seen"])
            found.append(histories.join(wanted, on="user_id", how="semi"))
            wanted = wanted.join(found[-1], on="user_id", how="anti")
        return pl.concat(found)

    def _of_frequent_users(self, examples: pl.DataFrame, buckets: pc.Expression) -> pl.DataFrame:
        """Leave out users with fewer than ``min_user_count`` events by the window's end."""
        if self.config.min_user_count == 1:
            return examples
        users = self._read(HISTORIES, self.job.window, buckets, ["user_id", "event_count"])
        frequent = users.filter(pl.col("event_count") >= self.config.min_user_count)
        return examples.join(frequent, on="user_id", how="semi", maintain_order="left")

    def _read(self, contract: DataContract, window: str, buckets: pc.Expression, columns: list[str]) -> pl.DataFrame:
        where = (pc.field("window") == window) & buckets
        return pl.DataFrame(self._dataset(contract).to_table(columns=columns, filter=where))

    def _dataset(self, contract: DataContract) -> ds.Dataset:
        return Table(self.job.tables.folder, contract).dataset(self.job.tables.versions[contract.name])


def _events(examples: pl.DataFrame) -> pl.DataFrame:
    """Lay examples out, one row an event, a user's examples in order of time; ``place`` counts the rows."""
    context = pl.col("context").list.len()
    return (
        examples.sort("user", pl.col("target_timestamp").list.first(), maintain_order=True)
        .with_row_index("example")
        .select(
            "user",
            "example",
            context.alias("context"),
            pl.concat_list("context", "target").alias("item"),
            pl.concat_list(pl.lit("").repeat_by(context), "target_event").alias("kind"),
            pl.col("seen").is_null().alias("is_new"),
        )
        .explode("item", "kind")
        .with_columns(
            place=pl.int_range(pl.len()), is_target=pl.int_range(pl.len()).over("example") >= pl.col("context")
        )
    )


def _first_met(users: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return ``user``, ``item``, ``first_place``: where each user met each item first, -1 before the window."""
    before = users.select("user", item="seen").explode("item").drop_nulls().with_columns(place=pl.lit(-1, pl.Int64))
    met = pl.concat([before, events.select("user", "item", "place")])
    return met.group_by("user", "item").agg(first_place=pl.col("place").min())


def _batches(judged: pl.DataFrame, events: pl.DataFrame, met: pl.DataFrame, targets_at_once: int) -> Iterator[Batch]:
    chunk = pl.col("number").first().over("example") // targets_at_once
    chunked = judged.with_row_index("number").select(judged.columns, chunk=chunk)
    for targets in chunked.partition_by("chunk", include_key=False, maintain_order=True):
        hidden = (
            targets.with_row_index("target")
            .join(met, on="user", suffix="_met")
            .filter(pl.col("first_place") < pl.col("place"))
            .select("target", item="item_met")
        )
        yield Batch(targets, events.join(targets, on="example", how="semi", maintain_order="left"), hidden)
