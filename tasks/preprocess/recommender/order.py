"""The order of a user's events: by time and, within one moment, by a hash, so that it carries nothing.

Logs that know a second, or a day, have many events of one moment. An order by item id, say, makes patterns that are not
there, and a network learns the alphabet. The hash is of the whole event: two items come in this order for one user and
in that one for another, and an event that is remembered stands where it stood when it was new.
"""

from __future__ import annotations

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
