"""What users did, remembered and new, as one sequence of events each. Pure: frames in, a frame out."""

from __future__ import annotations

import numpy as np
import polars as pl

from tasks.preprocess.recommender.order import in_order


def is_whole() -> pl.Expr:
    """Whether a user's history holds all that the user did."""
    return pl.col("event_count") == pl.col("items").list.len()


def timeline_of(events: pl.DataFrame, known: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return one row an event, remembered or new, by user and in order.

    ``position`` counts from 0 within a user; ``shared`` says whether another event of the user has the same moment;
    ``due``, whether this is to be a target, if it has a predecessor: new events, and a user's very first;
    ``renewed``, whether it is new, or comes after such a one.
    What is remembered from before a user's first new event stays where it stands: only the rest is put in order.

    Args:
        events: The new ones: ``user``, ``user_id``, ``item_id``, ``event``, ``timestamp`` (us, UTC).
        known: Histories of those of the users who have one, with ``user``, as in table `state`.
        users: ``user``, counted from 0 without a gap, ``user_id``; each has new events.
        items: ``item_id``, ``item_index`` (int32) of every item met.

    Returns:
        Besides the above ``user``, ``timestamp``, ``event``, ``item_index``, ``new``.
    """
    since = events.group_by("user").agg(pl.min("timestamp")).sort("user")["timestamp"]  # every user has events
    lists = {"item_index": "items", "event": "kinds", "timestamp": "timestamps"}
    old = pl.lit(value=False).alias("new"), is_whole().alias("whole"), since[known["user"]].alias("since")
    remembered = known.select("user", *old, **lists).explode(*lists)
    is_open = remembered["timestamp"] >= remembered["since"]
    again = remembered.filter(is_open).join(items, on="item_index").join(users.select("user", "user_id"), on="user")
    new = events.join(items, on="item_id").with_columns(new=pl.lit(value=True), whole=pl.lit(value=False))
    columns = ["user", "user_id", "timestamp", "item_id", "event", "item_index", "new", "whole"]
    ordered = in_order(pl.concat([again.select(columns), new.select(columns)]), "user", "new")
    before = (remembered.filter(~is_open) if again.height else remembered).with_columns(shared=pl.lit(value=False))
    kept = ["user", "timestamp", "event", "item_index", "new", "whole", "shared"]
    timeline = pl.concat([before.select(kept), ordered.select(kept)])
    return _placed(timeline[np.argsort(timeline["user"].to_numpy(), kind="stable")])


def _placed(timeline: pl.DataFrame) -> pl.DataFrame:
    """Say what `timeline_of` says of each row's place among those of its user."""
    user, new, whole = (timeline[name].to_numpy() for name in ("user", "new", "whole"))
    length = np.bincount(user)
    start = np.cumsum(length) - length
    position = np.arange(len(user)) - np.repeat(start, length)
    counted = np.cumsum(new)
    new_by_then = counted - np.repeat(counted[start] - new[start], length)
    is_very_first = whole & (position == new_by_then)  # all before it is new
    told = {"position": position, "due": new | is_very_first, "renewed": new_by_then > 0}
    return timeline.drop("whole").with_columns(pl.Series(name, values) for name, values in told.items())
