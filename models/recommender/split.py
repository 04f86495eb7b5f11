"""Which examples validate and which are learned from: one rule for the batches of training and for the baselines."""

from __future__ import annotations

import polars as pl
import polars_hash as plh

from data_contracts.job import Validation

VALIDATING_SHARE = 20
"""One user in so many validates."""


def validates(validation: Validation) -> pl.Expr:
    """Return whether an example, by its ``user_id`` and ``window``, is kept for validation and not learned from.

    The hash is that of ``bucket``, taken whole: the same user validates every night.
    """
    chosen = pl.col("window") == validation.window
    if validation.whole:
        return chosen
    return chosen & (plh.col("user_id").nchash.xxhash64() % VALIDATING_SHARE == 0)
