"""Made-up transactions, what nights sum up of them, and what was known of each: counted anew from the whole log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from data_contracts.risk.examples import RECENT_DAYS
from data_contracts.risk.measures import USUAL_BAD, USUAL_LABELLED, bad_share, measured
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past, sums_of_pairs, sums_of_parties

START = date(2026, 1, 1)


class Deal(NamedTuple):
    """One transaction.

    Attributes:
        later: Days after which its label is known.
        night: Which took it.
        told: Which took its label.
    """

    day: int
    giver: int
    getter: int
    label: int | None = 0
    outcome: float | None = None
    amount: float | None = None
    later: int = 0
    night: int = 0
    told: int = 0

    @property
    def known_day(self) -> int | None:
        """Day on which it was known how it turned out, if it ever was."""
        return None if self.label is None else self.day + self.later

    @property
    def known_night(self) -> int:
        """Night that had both."""
        return max(self.night, self.told)

    def seen(self, day: int, night: int) -> Deal:
        """Return it as it was known before a day, by what had come with a night or before it."""
        is_known = self.known_day is not None and self.known_day < day and self.known_night <= night
        return self if is_known else self._replace(label=None, outcome=None)


def frame(deals: Sequence[Deal], night: int | None = None) -> pl.DataFrame:
    """Return rows as `sums_of_pairs` wants them: of one night, or of one that has everything."""
    schema = {
        "day": pl.Int64, "from_number": pl.Int32, "to_number": pl.Int32,
        "label": pl.Int8, "outcome": pl.Float64, "amount": pl.Float64,
    }  # fmt: skip
    rows = pl.DataFrame([deal[: len(schema)] for deal in deals], schema=schema, orient="row")
    known = [deal.known_day if night is None or deal.known_night <= night else None for deal in deals]
    start, window = pl.lit(START), pl.lit(f"{night or 0:04}")
    return rows.with_columns(
        day=start + pl.duration(days="day"),
        known_day=start + pl.duration(days=pl.Series(known, dtype=pl.Int64)),
        is_new=pl.Series([night is None or deal.night == night for deal in deals], dtype=pl.Boolean),
        window=window,
        known_window=window,
    )


def features(past: Sequence[Deal], asked: Sequence[Deal]) -> pl.DataFrame:
    """Return the features of some, all of ``past`` being there at once."""
    return features_of(sums_of_pairs(frame(past)), asked)


def features_of(pairs: pl.DataFrame, asked: Sequence[Deal]) -> pl.DataFrame:
    """Return the features of some by these sums."""
    return measured(frame(asked), Past(sums_of_parties(pairs)), Pairs(pairs))


def nights(log: Sequence[Deal]) -> pl.DataFrame:
    """Return the sums that nights add: each of the transactions that it took, and of those that became labelled."""
    added = []
    for night in sorted({deal.night for deal in log} | {deal.known_night for deal in log}):
        rows = [deal for deal in log if night in {deal.night, deal.known_night}]
        waiting = [deal for deal in rows if deal.night == night or deal.known_day is not None]
        added.append(sums_of_pairs(frame(waiting, night)))
    return pl.concat(added)


def known_to_nights(log: Sequence[Deal]) -> list[tuple[Deal, dict[str, float]]]:
    """Return each with its features by the sums that were there once its own night was done."""
    pairs, found = nights(log), []
    for night in {deal.night for deal in log}:
        asked = [deal for deal in log if deal.night == night]
        rows = features_of(pairs.filter(pl.col("window") <= f"{night:04}"), asked).to_dicts()
        found += list(zip(asked, rows, strict=True))
    return found


def counted(log: Sequence[Deal], asked: Deal) -> dict[str, float]:
    """Say what was known of the parties of one, out of the whole log, with nothing that was summed up before.

    What happened before its day, and came with its own night or before, counts; and of that what was said before its
    day, and came so. Taken for recent is what happened then, and what was said then, each by its own day.
    """
    past = [deal.seen(asked.day, asked.night) for deal in log if deal.day < asked.day and deal.night <= asked.night]
    (found,) = features([deal._replace(later=0) for deal in past], [asked]).to_dicts()
    labels = [deal for deal in past if deal.label is not None]
    usual = (sum(deal.label == 1 for deal in labels) + USUAL_BAD) / (len(labels) + USUAL_LABELLED)
    for name, party in {"from": asked.giver, "to": asked.getter}.items():
        for part in ("gave", "got"):
            own = [deal for deal in labels if party == (deal.giver if part == "gave" else deal.getter)]
            recent = [deal.label for deal in own if asked.day - (deal.known_day or 0) <= RECENT_DAYS]
            share = bad_share(pl.lit(sum(label == 1 for label in recent)), pl.lit(len(recent)), pl.lit(usual))
            found[f"{name}_{part}_recent_bad_share"] = pl.select(share).item()
    return found
