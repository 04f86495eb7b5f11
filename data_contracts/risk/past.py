"""The past as sums: made of transactions, and read as they stood before a day. Pure: frames in, frames out.

It stands on this floor because two rooms need one and the same: ``preprocess`` to make examples, the server to answer.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import polars as pl

from data_contracts.risk.examples import RECENT_DAYS
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.sums import ALL, GAVE, GOT, NAMES

Part = Literal["gave", "got", "all"]
_WHOSE = ("party", "part")


def squashed(number: pl.Expr) -> pl.Expr:
    """Return sign(x) ln(1 + |x|): numbers of any size side by side."""
    return number.sign() * number.abs().log1p()


def sums_of_pairs(transactions: pl.DataFrame) -> pl.DataFrame:
    """Sum up what each pair did on each day, and what was said on each day of what it did before.

    Args:
        transactions: ``from_number``, ``to_number``, ``amount``, ``label``, ``outcome``; ``is_new``, whether it was not
            summed up before; ``day`` and ``window`` in which it happened; ``known_day`` and ``known_window`` in which
            label and outcome were known, null where they still are to come. An outcome counts with its label: without
            one it does not count yet, whatever is in its column.

    Returns:
        Rows of table `pairs`, sorted.
    """
    outcome, size = pl.col("outcome"), squashed(pl.col("amount"))
    keys = ["from_number", "to_number", "day", "window", "happened_on"]
    added = _entries(transactions).sort(*keys, "label", "outcome", "amount").group_by(keys, maintain_order=True)
    return added.agg(
        count=pl.col("is_new").sum().cast(pl.Int64),
        labelled=pl.col("label").count().cast(pl.Int64),
        bad=(pl.col("label") == 1).sum().cast(pl.Int64),
        outcomes=outcome.count().cast(pl.Int64),
        outcome=outcome.sum(),
        outcome_squares=(outcome**2).sum(),
        sizes=size.count().cast(pl.Int64),
        size=size.sum(),
        size_squares=(size**2).sum(),
    )


def _entries(transactions: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each that happened, and one for each label that was not known on that very day."""
    is_known, is_new = pl.col("known_day").is_not_null() & pl.col("label").is_not_null(), pl.col("is_new")
    at_once = is_new & is_known & (pl.col("known_day") == pl.col("day"))
    dated = transactions.with_columns(at_once=at_once, happened_on="day")
    happened = dated.filter(is_new).with_columns(pl.when("at_once").then(pl.col("label", "outcome")))
    said = dated.filter(is_known & ~pl.col("at_once")).with_columns(
        amount=pl.lit(None, pl.Float64), is_new=pl.lit(value=False), day="known_day", window="known_window"
    )
    return pl.concat([happened, said])


def sums_of_parties(pairs: pl.DataFrame) -> pl.DataFrame:
    """Sum up what each party gave and got on each day, and what there was at all, from the sums of the pairs.

    Returns:
        Rows of table `party_days`, sorted.
    """
    when, everybody = ["day", "window"], pl.lit(EVERYBODY, pl.Int32)
    parts = [
        pairs.select(everybody.alias("party"), pl.lit(ALL).alias("part"), *NAMES, *when),
        pairs.select(pl.col("from_number").alias("party"), pl.lit(GAVE).alias("part"), *NAMES, *when),
        pairs.select(pl.col("to_number").alias("party"), pl.lit(GOT).alias("part"), *NAMES, *when),
    ]
    keys = [*_WHOSE, *when]
    return pl.concat(parts).group_by(keys, maintain_order=True).agg(pl.col(NAMES).sum()).sort(keys)


def compacted(party_days: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return as few rows as say the same of the past before ``day``: of each party and part three at most.

    Its first day, the recent ones (`RECENT_DAYS`), and those between.
    """
    first, is_recent = pl.col("day").min().over(_WHOSE), pl.col("day") >= day - timedelta(days=RECENT_DAYS)
    stretch = pl.when(is_recent).then(2).when(pl.col("day") > first).then(1).otherwise(0)
    before = party_days.filter(pl.col("day") < day).with_columns(stretch=stretch)
    dealt = pl.col("day").filter(pl.col("count") > 0)
    merged = before.group_by(*_WHOSE, "stretch").agg(
        pl.col(NAMES).sum(), pl.coalesce(dealt.max(), pl.max("day")), first=dealt.min()
    )
    return merged.sort(*_WHOSE, "stretch").drop("stretch")


class Past:
    """What each party did, as it stood before any day.

    Args:
        party_days: As table `party_days` has them, or `compacted`.
    """

    def __init__(self, party_days: pl.DataFrame) -> None:
        first, dealt = pl.col("first" if "first" in party_days.columns else "day"), pl.col("count") > 0
        days = party_days.group_by(*_WHOSE, "day").agg(pl.col(NAMES).sum(), first=first.filter(dealt).min())
        last = pl.when(dealt).then("day").cum_max()
        self._ever = (
            days.sort(*_WHOSE, "day")
            .with_columns(
                pl.col(NAMES).cum_sum().over(_WHOSE),
                pl.col("first").cum_min().forward_fill().over(_WHOSE),
                last=last.forward_fill().over(_WHOSE),
            )
            .sort("day")
        )

    def before(self, rows: pl.DataFrame, part: Part) -> pl.DataFrame:
        """Return the sums of each row's party up to the day before.

        Args:
            rows: ``party``, ``day``.
            part: What is summed up.

        Returns:
            The sums; ``recent_count``, ``recent_labelled`` and ``recent_bad``, those of the `RECENT_DAYS` before alone;
            ``first`` and ``last``, the days of the first and the last transaction. As long and in the order of
            ``rows``. Where there is no past sums are 0 and days null.
        """
        ever, older = self._up_to(rows, part, days=0), self._up_to(rows, part, days=RECENT_DAYS)
        recent = {f"recent_{name}": ever[name] - older[name] for name in ("count", "labelled", "bad")}
        return ever.with_columns(**recent)

    def _up_to(self, rows: pl.DataFrame, part: Part, *, days: int) -> pl.DataFrame:
        """Return the sums up to so many days before the day before."""
        asked = rows.select("party", pl.col("day") - timedelta(days=days)).with_row_index("row").sort("day")
        known = self._ever.filter(pl.col("part") == part).drop("part")
        found = asked.join_asof(known, on="day", by="party", allow_exact_matches=False, check_sortedness=False)
        return found.sort("row").select(pl.col(NAMES).fill_null(0), "first", "last")
