"""Cut users' events into training examples and histories. Pure: frames in, frames out.

The order of a user's events is that of `tasks.preprocess.recommender.order`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from data_contracts.buckets import bucket_of
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.timeline import is_whole, timeline_of


class Cut(NamedTuple):
    """One window of some users, or a segment of it.

    Attributes:
        examples: Rows of table `examples`, by bucket, user and time.
        histories: One row for each user active in the window, to go on from; `close` makes rows of table `state`.
        counts: What became of the events.
    """

    examples: pl.DataFrame
    histories: pl.DataFrame
    counts: WindowCounts


def cut_window(
    events: pl.DataFrame, histories: pl.DataFrame, items: pl.DataFrame, *, window: str, features: FeatureConfig
) -> Cut:
    """Merge events of one window into the users' histories, and cut them into examples.

    A window may come in segments that follow each other in the order of events: the next goes on from the histories
    that the one before left.

    Every event with a predecessor is a target exactly once. A late event may lie between events of the history;
    so targets are the maximal runs of new events in the merged order. One that lies before the user's very first event
    gives that a predecessor: it becomes a target, once, with what came before it by then. A context holds what came
    before its targets, never more than L + 1 events together with them. Of a user's past the last L events are known: a
    late event before all of these has no predecessor here, if there were others before them.

    Args:
        events: The window's, or a segment's, in any order: ``user_id``, ``item_id``, ``event``, ``timestamp`` (us,
            UTC).
        histories: At most one row a user, as in table `state`, but that ``seen`` is of the window's segments before;
            other users' rows are left out.
        items: ``item_id``, ``item_index`` (int32) of every item met.
        window: Key written into every row.
        features: ``max_length`` is L.

    Returns:
        Examples, histories and counts.
    """
    users = events.select("user_id").unique().with_columns(bucket=bucket_of("user_id"))
    users = users.sort("bucket", "user_id").with_row_index("user")
    known = _of_users(histories, users)
    timeline = timeline_of(events.join(users.drop("bucket"), on="user_id"), known, users, items)
    examples = _examples(timeline, users, features.max_length).with_columns(window=pl.lit(window))
    histories = _histories(timeline, known, users, features).with_columns(window=pl.lit(window))
    without = timeline.filter("new", pl.col("position") == 0)
    in_part = known.filter(~is_whole())
    late = without.join(in_part, on="user", how="semi").height
    firsts = without.join(known, on="user", how="anti").height
    targets = int(examples["target"].list.len().sum())
    shared = timeline.filter("new", "shared").height
    counts = WindowCounts(events.height, users.height, targets, firsts, late, shared)
    return Cut(examples, histories, counts)


def _of_users(histories: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Return the histories of ``users``, with their numbers; lists are copied where others have some, too."""
    number = histories.select("user_id").join(users, on="user_id", how="left", maintain_order="left")["user"]
    known = histories.with_columns(number)
    return known.drop_nulls("user") if number.null_count() else known


def close(histories: pl.DataFrame, features: FeatureConfig) -> pl.DataFrame:
    """Return rows of table `state`, by bucket and user: of each user the last L events."""
    lists = pl.col("items", "kinds", "timestamps")
    return histories.with_columns(lists.list.tail(features.max_length)).sort("bucket", "user_id")


def _examples(timeline: pl.DataFrame, users: pl.DataFrame, max_length: int) -> pl.DataFrame:
    """Cut each run of targets into pieces, each with the events before it."""
    least_context = max(1, max_length // 2)
    row, position = pl.col("row"), pl.col("position")
    targets = (
        timeline.with_row_index("row")
        .cast({"row": pl.Int64})
        .filter("due", position > 0)
        .with_columns(run=(row != row.shift() + 1).fill_null(value=True).cum_sum())
        .with_columns(start=position.first().over("run"))
    )
    offset = position - pl.col("start")
    first_piece = max_length + 1 - pl.min_horizontal("start", pl.lit(least_context))
    later_piece = max_length + 1 - least_context
    piece = pl.when(offset < first_piece).then(0).otherwise(1 + (offset - first_piece) // later_piece)
    pieces = targets.group_by("run", piece.alias("piece"), maintain_order=True).agg(
        pl.first("user", "row", "position"), targets=pl.len().cast(pl.Int64)
    )
    pieces = pieces.with_columns(context=pl.min_horizontal("position", max_length + 1 - pl.col("targets")))
    row_, target, context = (pieces[name].to_numpy() for name in ("row", "targets", "context"))
    return users[pieces["user"]].select(
        "user_id",
        "bucket",
        *_slices(timeline, ("context", "context_event", "context_timestamp"), row_ - context, context),
        *_slices(timeline, ("target", "target_event", "target_timestamp"), row_, target),
    )


def _histories(
    timeline: pl.DataFrame, known: pl.DataFrame, users: pl.DataFrame, features: FeatureConfig
) -> pl.DataFrame:
    """One row a user: the last 2 L events, the items met in the window, the events counted.

    Of what is remembered, L events at most are later than the segment; so L of those before the next one are here too.
    """
    totals = timeline.group_by("user", maintain_order=True).agg(events=pl.len().cast(pl.Int64), new=pl.sum("new"))
    before = users.join(known.select("user", "event_count"), on="user", how="left", maintain_order="left")
    length = np.minimum(totals["events"].to_numpy(), 2 * features.max_length)
    start = totals["events"].cum_sum().to_numpy() - length
    return users.select(
        "user_id",
        "bucket",
        *_slices(timeline, ("items", "kinds", "timestamps"), start, length),
        seen=_seen(timeline, known, features.max_seen),
        event_count=before["event_count"].fill_null(0) + totals["new"].cast(pl.Int64),
    )


def _seen(timeline: pl.DataFrame, known: pl.DataFrame, max_seen: int) -> pl.Series:
    """Distinct items that each user met in the window, ascending by last time, the latest ``max_seen``.

    What is remembered and happened later than something new is told again: it was met later. Of what the window's
    segments before met only the order is known; it comes before all that.
    """
    before = known.select("user", item_index="seen").explode("item_index").drop_nulls()
    met = pl.concat([before, timeline.filter("renewed").select("user", "item_index")])
    last = met.unique(keep="last", maintain_order=True)
    seen = last.group_by("user").agg(pl.col("item_index").tail(max_seen))
    return seen.sort("user")["item_index"]


def _slices(
    timeline: pl.DataFrame, names: tuple[str, str, str], start: np.ndarray, length: np.ndarray
) -> Iterator[pl.Series]:
    """Yield lists of items, kinds and times under ``names``, of the rows ``start`` to ``start + length``.

    Slices may overlap.
    """
    offsets = np.concatenate([[0], np.cumsum(length)])
    row = pl.Series(np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], length))
    for name, column in zip(names, ("item_index", "event", "timestamp"), strict=True):
        lists = pa.LargeListArray.from_arrays(pa.array(offsets), timeline[column].gather(row).to_arrow())
        yield pl.Series(name, lists)
