"""State: what each user did last, at a window's end, and what the user met in it.

A night adds rows of the users who did something, and now and then puts one row a user in the place of all: so there are
about as many rows as users, and what a night reads and writes is its own. A user's newest row says what the user did
last; what the user has ever met is in all of the user's rows together, see `merged`. Written by ``preprocess``; read by
``preprocess``, ``evaluate`` and the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.buckets import BUCKETS
from data_contracts.contract import DataContract, Limits, Step
from data_contracts.days import end_of
from data_contracts.recommender.steps import shortest_steps
from data_contracts.rules import Rule, between

if TYPE_CHECKING:
    import polars as pl


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is in the lists."""
    import polars as pl

    items, times, seen = pl.col("items"), pl.col("timestamps"), pl.col("seen")
    length = items.list.len().cast(pl.Int64)
    rows = pl.DataFrame(table)
    shown = rows.select(
        "bucket",
        length=length,
        lowest_index=pl.min_horizontal(items.list.min(), seen.list.min()),
        kinds_too_few=length - pl.col("kinds").list.len(),
        times_too_few=length - times.list.len(),
        shortest_step=shortest_steps(rows["timestamps"]),
        last_time=times.list.max(),
        seen_twice=seen.list.len().cast(pl.Int64) - seen.list.n_unique(),
        uncounted=pl.max_horizontal(length, seen.list.len()) - pl.col("event_count"),
    )
    return shown.to_arrow()


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("bucket", 0, BUCKETS - 1, "bucket out of range"),
        between("length", 1, None, "history empty"),
        between("lowest_index", 1, None, "item_index below 1"),
        between("kinds_too_few", 0, 0, "kinds not as long as items"),
        between("times_too_few", 0, 0, "timestamps not as long as items"),
        between("shortest_step", 0, None, "items out of order"),
        between("last_time", None, end_of(limits.latest, limits.day_zone), "item after through"),
        between("seen_twice", 0, 0, "item twice in seen"),
        between("uncounted", None, 0, "more items than event_count"),
    ]


STATE = DataContract(
    name="state",
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("bucket", pa.int32(), nullable=False, metadata={"unit": "hash of the user, 0…1023"}),
            pa.field(
                "items",
                pa.list_(pa.int32()),
                nullable=False,
                metadata={"unit": "item_index, the last L, oldest first"},
            ),
            pa.field("kinds", pa.list_(pa.string()), nullable=False, metadata={"unit": "event, beside items"}),
            pa.field(
                "timestamps",
                pa.list_(pa.timestamp("us", tz="UTC")),
                nullable=False,
                metadata={"unit": "beside items"},
            ),
            pa.field(
                "seen",
                pa.list_(pa.int32()),
                nullable=False,
                metadata={
                    "unit": "item_index, every distinct item since the user's row before, ascending by last time; the "
                    "latest max_seen"
                },
            ),
            pa.field("event_count", pa.int64(), nullable=False, metadata={"unit": "events so far"}),
            pa.field("window", pa.string(), nullable=False),
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "evaluate", "register"),
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(),),  # in version 1, ``seen`` of a row was all that the user had ever met
    keeps_itself_small=True,
)


MAX_SEEN = "max_seen"
"""Mark of the table: how many distinct items are remembered of a user."""


def merged(rows: pl.LazyFrame, max_seen: int | None) -> pl.LazyFrame:
    """Return one row a user: the newest, with what the user met in all of them.

    Args:
        rows: All of each user, up to the newest that is to count.
        max_seen: Distinct items of a user that are kept, the latest ones; what the table's mark `MAX_SEEN` says.
    """
    import polars as pl

    counted = rows.group_by("user_id").agg(pl.max("window"), rows=pl.len())
    several = rows.join(counted.filter(pl.col("rows") > 1), on="user_id", how="semi")
    met = several.select("user_id", "window", "seen").sort("window", maintain_order=True).explode("seen").drop_nulls()
    last = met.unique(["user_id", "seen"], keep="last", maintain_order=True)
    latest = pl.col("seen") if max_seen is None else pl.col("seen").tail(max_seen)
    seen = last.group_by("user_id", maintain_order=True).agg(latest.alias("of_all"))
    found = rows.join(counted, on=["user_id", "window"], how="semi").join(seen, on="user_id", how="left")
    return found.with_columns(seen=pl.coalesce("of_all", "seen")).drop("of_all")
