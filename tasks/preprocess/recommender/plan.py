"""Into which windows a night's new events fall: decided once, at the night's start, and written into the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from data_contracts.days import days_of
from data_contracts.night import HeldOut, Protocol, Window
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.recommender.order import ORDER, PLACE, place

LEAVE_ONE_OUT = ("loo-1-train", "loo-2-validation", "loo-3-test")
"""Pseudo-windows: all but a user's last two events, the last but one, the last."""


@dataclass(frozen=True)
class Plan:
    """How one night's new events are spread over windows.

    Attributes:
        window: The newest window, which judges.
        first: Whether the tables are empty before this night.
        protocol: `nightly` cuts by day; `leave_one_out` by a user's last two events.
    """

    window: Window
    first: bool
    protocol: Protocol

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of this night's windows, oldest first."""
        if self.protocol == "leave_one_out":
            return LEAVE_ONE_OUT
        return (self._past, self.window.key) if self.first else (self.window.key,)

    @property
    def _past(self) -> str:
        return (self.window.first_day - timedelta(days=1)).isoformat()

    def of_keys(self, counts: pl.LazyFrame) -> pl.LazyFrame:
        """Turn ``key``, what `count_items` counted by, into ``window``."""
        if self.protocol == "leave_one_out":
            return counts.rename({"key": "window"})
        in_past = pl.lit(self.first) & (pl.col("key") < self.window.first_day.isoformat())
        window = pl.when(in_past).then(pl.lit(self._past)).otherwise(pl.lit(self.window.key))
        return counts.select("item_id", "count", window=window)

    def assign(self, events: pl.LazyFrame, day_zone: str) -> pl.LazyFrame:
        """Add column ``window``, the key of the window in which an event is handled.

        A late event, older than the newest window, is handled in it: the windows before are closed.

        Args:
            events: ``user_id``, ``item_id``, ``event``, ``timestamp``, in any order; for `leave_one_out`, every event
                of a user.
            day_zone: Zone whose days `nightly` cuts by.
        """
        if self.protocol == "leave_one_out":
            return leave_one_out(events)
        if not self.first:
            return events.with_columns(window=pl.lit(self.window.key))
        in_past = days_of(pl.col("timestamp"), day_zone) < self.window.first_day
        return events.with_columns(window=pl.when(in_past).then(pl.lit(self._past)).otherwise(pl.lit(self.window.key)))


def leave_one_out(events: pl.LazyFrame) -> pl.LazyFrame:
    """Add column ``window``, one of `LEAVE_ONE_OUT`, to every event of some users."""
    from_end = pl.len() - 1 - pl.int_range(pl.len())
    train, validation, test = (pl.lit(key) for key in LEAVE_ONE_OUT)
    ordered = events.with_columns(place()).sort("user_id", *ORDER).drop(PLACE)
    rank = from_end.over("user_id")
    return ordered.with_columns(window=pl.when(rank == 0).then(test).when(rank == 1).then(validation).otherwise(train))


def count_items(events: pl.LazyFrame, day_zone: str, protocol: Protocol) -> pl.LazyFrame:
    """Count events by ``item_id`` and ``key``: the day, or the pseudo-window, in which one is handled.

    Args:
        events: See `Plan.assign`.
        day_zone: Zone whose days `nightly` cuts by.
        protocol: Of the night.
    """
    if protocol == "leave_one_out":
        keyed = leave_one_out(events).rename({"window": "key"})
    else:
        keyed = events.with_columns(key=days_of(pl.col("timestamp"), day_zone))
    counts = keyed.group_by("item_id", "key").agg(count=pl.len().cast(pl.Int64))
    return counts.with_columns(pl.col("key").cast(pl.String))


def count_by_day(events: pl.LazyFrame, day_zone: str) -> pl.DataFrame:
    """Count what a first night must know to hold out its end.

    Args:
        events: ``user_id``, ``timestamp``; every event of some users.
        day_zone: Zone whose days are counted.

    Returns:
        ``day``, ``targets`` (events with a predecessor), ``users`` (whose last target is on that day). Counts of
        different users may be added.
    """
    day = days_of(pl.col("timestamp"), day_zone)
    by_user = events.group_by("user_id").agg(first=day.min(), last=day.max(), events=pl.len().cast(pl.Int64))
    by_day = events.group_by(day=day).agg(targets=pl.len().cast(pl.Int64))
    users, days = pl.collect_all([by_user, by_day], engine="streaming")
    firsts = users.group_by(day="first").agg(targets=-pl.len().cast(pl.Int64))
    lasts = users.filter(pl.col("events") > 1).group_by(day="last").agg(users=pl.len().cast(pl.Int64))
    return add_days([days, firsts, lasts])


def add_days(counts: list[pl.DataFrame]) -> pl.DataFrame:
    """Add counts by day, and sort them."""
    return pl.concat(counts, how="diagonal").group_by("day").sum().sort("day")


def hold_out_end(days: pl.DataFrame, through: date, held_out: HeldOut) -> Window:
    """Hold out whole days, counted back from ``through`` until they are enough to judge.

    Args:
        days: What `count_by_day` returns for all users.
        through: Last day of the logs.
        held_out: What is enough.

    Raises:
        TooFewTargetsError: No cut leaves enough in the end and a target in the past.
    """
    ends = days.with_columns(
        pl.col("targets", "users").cum_sum(reverse=True), past=pl.col("targets").cum_sum() - pl.col("targets")
    )
    enough = ends.filter((pl.col("targets") >= held_out.min_targets) & (pl.col("users") >= held_out.min_units))
    if enough.height and enough["past"][-1]:
        return Window(first_day=enough["day"][-1], last_day=through)
    first_day: date = days["day"][0]
    seen = f"{first_day} to {through}: {days['targets'].sum():,} targets of {days['users'].sum():,} users"
    raise TooFewTargetsError(
        f"The first night cuts its logs into a past and an end that judges; these are too small for that. Seen {seen}. "
        f"Wanted at the end whole days with {held_out.min_targets:,} targets of {held_out.min_units:,} users, and at "
        "least one target in the days before. No features were published. Bring more days of logs, or lower "
        "held_out.min_targets and held_out.min_units."
    )
