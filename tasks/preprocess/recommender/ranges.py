"""A night's new events by ranges of users, each read from the files of table `events` that hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from data_contracts.buckets import Buckets, among, bucket_of, buckets_of, parted
from data_contracts.reading import scan
from data_contracts.recommender.events import EVENTS

ROWS_PER_TASK = 1_000_000
"""Events, new and remembered, that one Dask task holds in memory."""


@dataclass(frozen=True)
class Range:
    """Some users, and their new events.

    Attributes:
        buckets: Of the users.
        files: URIs of the files that may hold their events.
        state: The same of table `state`, for their rows.
    """

    buckets: Buckets
    files: tuple[str, ...]
    state: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the files hold events of these users alone."""
        return all(self.buckets.contains(buckets_of(file)) for file in self.files)

    def read(self) -> pl.LazyFrame:
        """Return the events, in no order: ``user_id``, ``item_id``, ``event``, ``timestamp``."""
        events = scan(self.files, EVENTS).select("user_id", "item_id", "event", "timestamp")
        return events if self.is_whole else events.filter(self.buckets.rows(bucket_of("user_id")))


def ranges(
    files: Mapping[str, int],
    most: int,
    workers: int,
    *,
    state: Mapping[str, int] | None = None,
    remembered: Mapping[Buckets, int] | None = None,
) -> list[Range]:
    """Part the users of some files, each file read by one task where its name allows.

    Args:
        files: URI to its number of rows.
        most: Events that one task is to hold, new and remembered.
        workers: That are to have as much to do, each of them.
        state: Files of table `state`; none where it is not read.
        remembered: Buckets to the events that their users' histories hold, about.
    """
    weights = Counter(dict(remembered or {}))
    for file, rows in files.items():
        weights[buckets_of(file)] += rows
    tasks = -(-sum(weights.values()) // most)
    found = parted(weights, most, workers * max(-(-tasks // workers), 1))
    own = (Range(buckets, tuple(among(files, buckets)), tuple(among(state or {}, buckets))) for buckets in found)
    return [each for each in own if each.files]
