"""The order of a user's events: by time and, within one moment, by a hash, so that it carries nothing.

Logs that know a second, or a day, have many events of one moment. An order by item id, say, makes patterns that are not
there, and a network learns the alphabet. The hash is of the whole event: two items come in this order for one user and
in that one for another, and an event that is remembered stands where it stood when it was new.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import polars_hash as plh

PLACE = "place"
ORDER = ("timestamp", PLACE, "item_id", "event")
"""Columns to sort a user's events by. The order is total: item and event decide should two hashes be the same."""


def place() -> pl.Expr:
    """Return column `PLACE` of frames with ``user_id``, ``item_id``, ``event`` and ``timestamp`` (us, UTC), uint64.

    It is xxhash64 of one text in UTF-8, parted by spaces: microseconds since 1970, bytes of user_id, bytes of item_id,
    user_id, item_id, event. The two lengths leave no two events with the same text. Tables are written in this order,
    so it stays for ever.
    """
    lengths = (pl.col(name).str.len_bytes() for name in ("user_id", "item_id"))
    text = plh.concat_str(pl.col("timestamp").dt.epoch("us"), *lengths, "user_id", "item_id", "event", separator=" ")
    hashed: pl.Expr = text.nchash.xxhash64().alias(PLACE)
    return hashed


def in_order(events: pl.DataFrame, user: str, *last: str) -> pl.DataFrame:
    """Sort events by user and in `ORDER`, and say of each whether another one has its user's moment, in ``shared``.

    The hash is taken of such events alone: most logs have few of them.

    Args:
        events: See `place`.
        user: Column to sort by first, and to tell users by.
        last: Columns that decide where events are the same in all that they say.
    """
    rows = events.sort(user, "timestamp")
    moment = rows.select(pl.struct(user, "timestamp").rle_id()).to_series()
    again = (moment.shift() == moment).fill_null(value=False)
    rows = rows.with_columns((again | again.shift(-1, fill_value=False)).alias("shared"))
    shared = rows.with_row_index("row").filter("shared")
    if shared.is_empty():
        return rows
    order = np.arange(rows.height)
    order[shared["row"]] = shared.with_columns(place()).sort(user, *ORDER, *last)["row"]
    return rows[order]
