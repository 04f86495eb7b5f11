"""What pairs say of a transaction: the two before, in both directions, and those who know both. Pure.

A partner is whom the giving party gave something to before, once for each day of it. One with whom nothing of that day
is known to be bad is trusted, another doubted.
"""

from __future__ import annotations

import polars as pl

MOST_PARTNERS = 1_000
"""Of a party's partners, those of its newest so many transactions are asked."""
ROWS_AT_ONCE = 4_096
"""Transactions whose partners are in memory together."""


class Pairs:
    """What each pair did, as it stood before any day.

    Args:
        pairs: ``from_number``, ``to_number``, ``day``, ``count``, ``bad``, ``labelled``, ``outcome``, as table `pairs`
            has them; ``happened_on``, without which it is ``day``.
    """

    def __init__(self, pairs: pl.DataFrame) -> None:
        keys = ["from_number", "day", "to_number"]
        days = pairs.group_by(keys).agg(pl.col("count", "bad", "labelled", "outcome").sum())
        self._pairs = days.sort(keys).with_row_index("place")
        happened = pl.coalesce("happened_on", "day") if "happened_on" in pairs.columns else pl.col("day")
        dealt = pairs.group_by("from_number", happened.alias("happened_on"), "to_number").agg(
            pl.col("count").sum(), bad_since=pl.col("day").filter(pl.col("bad") > 0).min()
        )
        given = dealt.filter(pl.col("count") > 0).sort("from_number", "happened_on", "to_number")
        self._given = given.with_row_index("place")
        self._starts = self._given.with_columns(start=pl.col("place").min().over("from_number")).select(
            "from_number", "start", "place", day="happened_on"
        )

    def between(self, rows: pl.DataFrame, giver: str, getter: str) -> pl.DataFrame:
        """Sum up what one party of each row gave to the other before: ``count``, ``bad``, ``outcome``.

        Args:
            rows: Numbers of both parties, and ``day``.
            giver: Column of the one.
            getter: Column of the other.
        """
        asked = rows.select("day", from_number=giver, to_number=getter).with_row_index("row")
        found = asked.join(self._pairs, on=["from_number", "to_number"], suffix="_before")
        return _summed(asked, found.filter(pl.col("day_before") < pl.col("day")), "count", "bad", "outcome")

    def through_partners(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Sum up what the receiving party of each row got before from partners of the giving one.

        Args:
            rows: ``from_number``, ``to_number``, ``day``.

        Returns:
            ``trusted_good``, ``trusted_bad``, ``trusted_outcome``, ``doubted_good``, ``doubted_bad``.
        """
        starts = range(0, max(rows.height, 1), ROWS_AT_ONCE)
        return pl.concat(self._through_partners(rows.slice(start, ROWS_AT_ONCE)) for start in starts)

    def _through_partners(self, rows: pl.DataFrame) -> pl.DataFrame:
        asked = rows.select("from_number", "to_number", "day").with_row_index("row")
        partners = self._partners(asked)
        found = partners.join(
            self._pairs.rename({"from_number": "partner", "day": "day_got"}), on=["partner", "to_number"]
        ).filter(pl.col("day_got") < pl.col("day"))
        trusted, good, bad = pl.col("trusted"), pl.col("labelled") - pl.col("bad"), pl.col("bad")
        told = found.with_columns(
            trusted_good=trusted * good,
            trusted_bad=trusted * bad,
            trusted_outcome=trusted * pl.col("outcome"),
            doubted_good=~trusted * good,
            doubted_bad=~trusted * bad,
        )
        names = ("trusted_good", "trusted_bad", "trusted_outcome", "doubted_good", "doubted_bad")
        return _summed(asked, told, *names)

    def _partners(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Return one row for each row and partner: ``row``, ``to_number``, ``day``, ``partner``, ``trusted``."""
        newest = asked.sort("day").join_asof(
            self._starts.sort("day", "place"),
            on="day",
            by="from_number",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        end = pl.col("place").cast(pl.Int64) + 1
        start = pl.max_horizontal(pl.col("start").cast(pl.Int64), end - MOST_PARTNERS)
        each = newest.drop_nulls("place").select("row", "to_number", "day", partner=pl.int_ranges(start, end))
        each = each.explode("partner")
        given = self._given[each["partner"]]
        trusted = (given["bad_since"] >= each["day"]).fill_null(value=True)
        return each.with_columns(given["to_number"].alias("partner"), trusted=trusted)


def _summed(asked: pl.DataFrame, found: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Add numbers up by row, 0 where nothing was found; in the order of ``asked``."""
    added = found.sort("row", "place").group_by("row", maintain_order=True).agg(pl.col(names).sum())
    return (
        asked.select("row").join(added, on="row", how="left", maintain_order="left").select(pl.col(names).fill_null(0))
    )
