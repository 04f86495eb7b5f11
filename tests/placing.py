"""Where an event stands among those of its user and moment: the rule, event by event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
import polars_hash as plh

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def place_of(user_id: str, item_id: str, event: str, timestamp: datetime) -> int:
    """See `tasks.preprocess.recommender.order.place`."""
    microseconds = (timestamp - EPOCH) // timedelta(microseconds=1)
    text = f"{microseconds} {len(user_id.encode())} {len(item_id.encode())} {user_id} {item_id} {event}"
    return int(pl.DataFrame({"text": [text]}).select(plh.col("text").nchash.xxhash64()).item())
