"""Features of transactions, from sums of the past: what was known of both parties the day before. Pure.

Counts are taken as ln(1 + n), outcomes and amounts as `past.squashed`: no feature is so large that it drowns others.
"""

from __future__ import annotations

import polars as pl

from data_contracts.risk.examples import FEATURES
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Part, Past, squashed
from data_contracts.risk.sums import ALL, GAVE, GOT

PARTS: tuple[Part, ...] = (GAVE, GOT)
SHRUNK_BY = 5.0
"""Transactions as all others are, that count as a party's own: of one that did little, little is known."""
USUAL_BAD, USUAL_LABELLED = 1.0, 20.0
"""Bad ones, and labels, that are taken for seen before there is a past at all."""
FADES_IN = 30.0
"""Days after which freshness is half of what it was."""
SMALLEST_SPREAD, MOST_UNUSUAL = 0.1, 10.0
"""Least standard deviation by which an amount is compared with those before, and how far from them it is at most."""


def measured(rows: pl.DataFrame, past: Past, pairs: Pairs) -> pl.DataFrame:
    """Return every feature of `FEATURES`, float32, as long and in the order of ``rows``.

    Args:
        rows: ``from_number``, ``to_number`` (int32; 0: a party that nobody knows), ``amount`` (may be null), ``day``.
        past: Of all parties of the rows, and of everybody.
        pairs: Of all that the parties gave and got.
    """
    found = [_of_party(rows, past, name) for name in ("from", "to")]
    both = {
        "again": pairs.between(rows, "from_number", "to_number"),
        "back": pairs.between(rows, "to_number", "from_number"),
    }
    for name, sums in both.items():
        found.append(sums.select(pl.all().name.prefix(f"{name}_")))
    found.append(pairs.through_partners(rows))
    found.append(_of_amount(rows, past))
    summed = pl.concat(found, how="horizontal")
    outcomes = squashed(pl.col("again_outcome", "back_outcome", "trusted_outcome"))
    counts = pl.col(
        "again_count", "again_bad", "back_count", "back_bad",
        "trusted_good", "trusted_bad", "doubted_good", "doubted_bad",
    ).log1p()  # fmt: skip
    return summed.with_columns(outcomes, counts).select(pl.col(*FEATURES).cast(pl.Float32))


def bad_share(bad: pl.Expr, labelled: pl.Expr, usual: pl.Expr) -> pl.Expr:
    """Return the share of bad, drawn to the usual one the more, the fewer labels there are."""
    return (bad + SHRUNK_BY * usual) / (labelled + SHRUNK_BY)


def _of_party(rows: pl.DataFrame, past: Past, name: str) -> pl.DataFrame:
    """Say what one of the two parties gave and got, and since when it is known."""
    asked = rows.select("day", party=f"{name}_number")
    everybody = past.before(asked.with_columns(party=pl.lit(EVERYBODY, pl.Int32)), ALL)
    usual = everybody.select(usual=(pl.col("bad") + USUAL_BAD) / (pl.col("labelled") + USUAL_LABELLED))
    sums = {part: past.before(asked, part) for part in PARTS}
    told = [
        pl.concat([asked, each, usual], how="horizontal").select(*_of_part(f"{name}_{part}"))
        for part, each in sums.items()
    ]
    firsts = [each.select(pl.col("first").alias(part)) for part, each in sums.items()]
    age = pl.concat([asked, *firsts], how="horizontal").select(
        _days(pl.min_horizontal(PARTS)).fill_null(0).log1p().alias(f"{name}_age")
    )
    return pl.concat([*told, age], how="horizontal")


def _of_part(name: str) -> list[pl.Expr]:
    """Make features of the sums of one part."""
    outcomes = pl.col("outcomes")
    variance = pl.col("outcome_squares") / outcomes - (pl.col("outcome") / outcomes) ** 2
    features = {
        "count": pl.col("count").log1p(),
        "bad": pl.col("bad").log1p(),
        "bad_share": bad_share(pl.col("bad"), pl.col("labelled"), pl.col("usual")),
        "outcome": squashed(pl.col("outcome") / (outcomes + 1)),
        "outcome_spread": pl.when(outcomes > 1).then(variance.clip(0).sqrt().log1p()).otherwise(0.0),
        "recent_count": pl.col("recent_count").log1p(),
        "recent_bad_share": bad_share(pl.col("recent_bad"), pl.col("recent_labelled"), pl.col("usual")),
        "freshness": (1 / (1 + _days(pl.col("last")) / FADES_IN)).fill_null(0),
    }
    return [feature.alias(f"{name}_{what}") for what, feature in features.items()]


def _days(since: pl.Expr) -> pl.Expr:
    return (pl.col("day") - since).dt.total_days()


def _of_amount(rows: pl.DataFrame, past: Past) -> pl.DataFrame:
    """Compare the amount with those that the giving party gave before."""
    given = past.before(rows.select("day", party="from_number"), GAVE)
    size, sizes = squashed(pl.col("amount")), pl.col("sizes")
    mean = pl.col("size") / sizes
    spread = (pl.col("size_squares") / sizes - mean**2).clip(SMALLEST_SPREAD**2).sqrt()
    unusual = pl.when(sizes > 1).then(((size - mean) / spread).clip(-MOST_UNUSUAL, MOST_UNUSUAL))
    return pl.concat([rows.select("amount"), given], how="horizontal").select(
        size=size.fill_null(0),
        size_known=pl.col("amount").is_not_null().cast(pl.Float64),
        size_unusual=unusual.fill_null(0),
    )
