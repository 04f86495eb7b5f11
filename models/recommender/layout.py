"""How targets are laid out to be ranked, at two degrees of freshness. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from models.recommender.times import times

BEFORE = -1
"""Place of what was met before the window."""
PADDING = 0
TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Batch:
    """Targets judged together; the targets of one example are never parted.

    Attributes:
        targets: One row a target: ``user`` (numbered from 0 over the whole window), ``example``, ``place``, ``item``,
            ``is_new`` (the user has no history before the window).
        events: What may be read, by ``place``: ``example``, ``place``, ``item``, ``time``; for a target what its
            example has before its place.
        hidden: ``target`` (row of ``targets``), ``item``: seen before, so not to be recommended for it.
    """

    targets: pl.DataFrame
    events: pl.DataFrame
    hidden: pl.DataFrame


class Judged(NamedTuple):
    """The same targets at two degrees of freshness.

    Attributes:
        live: With every event up to the moment before each target.
        nightly: With histories as of the window's start, one for all of a user's targets: what is served between two
            nights to who asks by user id. None where windows have no days: there it is the same.
    """

    live: Batch
    nightly: Batch | None


def lay_out(examples: pl.DataFrame) -> pl.DataFrame:
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
            times().alias("time"),
            "last_time",
            "is_new",
        )
        .explode("item", "kind", "time")
        .with_columns(
            place=pl.int_range(pl.len()), is_target=pl.int_range(pl.len()).over("example") >= pl.col("context")
        )
    )


def first_met(users: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return ``user``, ``item``, ``first_place``: where each user met each item first, -1 before the window."""
    before = users.select("user", item="seen").explode("item").drop_nulls().with_columns(place=pl.lit(BEFORE, pl.Int64))
    met = pl.concat([before, events.select("user", "item", "place")])
    return met.group_by("user", "item").agg(first_place=pl.col("place").min())


def lay_out_states(users: pl.DataFrame) -> pl.DataFrame:
    """Lay histories out as `lay_out` does examples, one a user; a row of padding, where targets stand, ends each."""
    items = pl.concat_list(pl.col("items").fill_null([]), pl.lit(PADDING, pl.Int32))
    known = pl.concat_list(pl.col("timestamps").fill_null([]), pl.lit(None, TIME))
    states = users.select(example="user", item=items, time=known).explode("item", "time")
    return states.with_columns(place=pl.int_range(pl.len()))


def chunks(judged: pl.DataFrame, targets_at_once: int) -> Iterator[pl.DataFrame]:
    """Yield about ``targets_at_once`` targets at a time, those of an example together."""
    chunk = pl.col("number").first().over("example") // targets_at_once
    chunked = judged.with_row_index("number").select(judged.columns, chunk=chunk)
    yield from chunked.partition_by("chunk", include_key=False, maintain_order=True)


def live(targets: pl.DataFrame, events: pl.DataFrame, met: pl.DataFrame) -> Batch:
    """Let each target have its example up to it."""
    hidden = _hidden(targets, met, pl.col("first_place") < pl.col("place"))
    return Batch(targets, events.join(targets, on="example", how="semi", maintain_order="left"), hidden)


def nightly(targets: pl.DataFrame, states: pl.DataFrame, met: pl.DataFrame) -> Batch:
    """Let each target have its user's history before the window."""
    ends = states.group_by("example").agg(pl.col("place").max())
    placed = targets.drop("example", "place").with_columns(example="user")
    placed = placed.join(ends, on="example", how="left", maintain_order="left").select(targets.columns)
    read = states.join(placed, on="example", how="semi", maintain_order="left")
    return Batch(placed, read, _hidden(targets, met, pl.col("first_place") == BEFORE))


def _hidden(targets: pl.DataFrame, met: pl.DataFrame, when: pl.Expr) -> pl.DataFrame:
    seen = targets.with_row_index("target").join(met, on="user", suffix="_met").filter(when)
    return seen.select("target", item="item_met")
