"""Into which windows a night's transactions fall: decided once, at the night's start, and written into the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from data_contracts.night import HeldOut, Window
from tasks.preprocess.errors import OtherFeaturesError, TooFewTargetsError


@dataclass(frozen=True)
class Plan:
    """How one night's transactions are spread over windows.

    Attributes:
        window: The newest window, which judges.
        first: Whether the tables are empty before this night: what lies before its window is a window, too.
        numbers: How many numbers of its own every transaction has.
    """

    window: Window
    first: bool
    numbers: int = 0

    def key(self, day: str) -> pl.Expr:
        """Return the key of the window of a column of days; what came late is in the newest."""
        newest = pl.lit(self.window.key)
        if not self.first:
            return newest
        past = pl.lit((self.window.first_day - timedelta(days=1)).isoformat())
        return pl.when(pl.col(day) < self.window.first_day).then(past).otherwise(newest)


def one_length(lengths: Mapping[int, int], known: int) -> int:
    """Return how many numbers of its own every transaction has.

    Args:
        lengths: Length of lists to the night's transactions that have such a list; empty where none has any.
        known: Length of the lists before; 0 where there were none: to those transactions no number is known.

    Raises:
        OtherFeaturesError: There are several lengths, or another one than before.
    """
    wanted = known or max(lengths, default=0)
    if lengths.keys() <= {wanted}:
        return wanted
    before = f", those before {known:,}" if known else ""
    seen = ", ".join(f"{length:,} in {rows:,} rows" for length, rows in lengths.items())
    raise OtherFeaturesError(
        f"Transactions of this night have {seen} as `numbers`{before}: which is which cannot be told. No features were "
        "published. Name the columns in source.columns.numbers that were named before. These rows are taken already: "
        "go on under another `name`, with all logs."
    )


def hold_out_end(labels: pl.DataFrame, through: date, held_out: HeldOut) -> Window:
    """Hold out whole days, counted back from ``through`` until they are enough to judge.

    Args:
        labels: ``day`` and ``labelled``, how many transactions have a label since that day; each day once.
        through: Last day of the logs.
        held_out: What is enough; each transaction is a unit.

    Raises:
        TooFewTargetsError: No cut leaves enough in the end and a label in the past.
    """
    wanted = max(held_out.min_targets, held_out.min_units)
    days = labels.sort("day").with_columns(
        end=pl.col("labelled").cum_sum(reverse=True), past=pl.col("labelled").cum_sum() - pl.col("labelled")
    )
    enough = days.filter(pl.col("end") >= wanted)
    if enough.height and enough["past"][-1]:
        return Window(first_day=enough["day"][-1], last_day=through)
    raise TooFewTargetsError(
        "The first night cuts its logs into a past and an end that judges; these are too small for that. Seen "
        f"{days['day'][0]} to {through}: {days['labelled'].sum():,} transactions with a label. Wanted at the end "
        f"whole days with {wanted:,} of them, and at least one in the days before. No features were published. Bring "
        "more days of logs, or lower held_out.min_targets and held_out.min_units."
    )
