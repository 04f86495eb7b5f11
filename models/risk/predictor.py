"""Answers requests: two parties in, the chance that it goes bad out, and why. Shape letters: B rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from data_contracts.risk.measures import measured
from data_contracts.risk.parties import EVERYBODY
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past
from data_contracts.risk.requests import ANSWERS, REASONS, REQUESTS
from models.metrics import chance
from models.risk.bundle import NUMBERED, PAIR_SUMS, PARTY_SUMS, PAST, PastRecord
from models.risk.rows import as_floats, inputs, plain
from models.risk.scorers import open_scorer

ROWS_AT_ONCE = 1_024
"""Requests answered together."""


class RiskPredictor:
    """See `models.use_case.Predictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle is not there.
        WeightsError: The scorer is not of this code's features.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema

    def __init__(self, folder: Path) -> None:
        parties, days, pairs = (
            pl.read_parquet(folder / name, glob=False) for name in (NUMBERED, PARTY_SUMS, PAIR_SUMS)
        )
        self._numbers: dict[str, int] = dict(parties.select("party", "number").rows())
        self._past, self._pairs = Past(days), Pairs(pairs)
        self._before = PastRecord.model_validate_json((folder / PAST).read_text(encoding="utf-8")).before
        self._scorer = open_scorer(folder)
        self._plain = plain(self._scorer.numbers)

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row; a party that nobody knows has no past.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        rows = self._understood(requests)
        pieces = [self._answer(rows.slice(start, ROWS_AT_ONCE)) for start in range(0, rows.height, ROWS_AT_ONCE)]
        return pa.concat_tables([self.answer_schema.empty_table(), *pieces])

    def _answer(self, rows: pl.DataFrame) -> pa.Table:
        known = pl.concat([rows, measured(rows, self._past, self._pairs)], how="horizontal")
        inputs_BC = as_floats(inputs(known, self._scorer.numbers))
        moved_BC = self._scorer.moved_by(inputs_BC)
        most_BR = np.argsort(-np.abs(moved_BC), axis=1, kind="stable")[:, :REASONS]
        weights = [
            [float(row[place]) for place in most if row[place]] for row, most in zip(moved_BC, most_BR, strict=True)
        ]
        reasons = [
            [self._plain[place] for place in most if row[place]] for row, most in zip(moved_BC, most_BR, strict=True)
        ]
        columns = [chance(self._scorer.log_odds(inputs_BC)).astype(np.float32), reasons, weights]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.answer_schema, strict=True)]
        return pa.table(arrays, schema=self.answer_schema)

    def _understood(self, requests: pa.Table) -> pl.DataFrame:
        """Return ``from_number``, ``to_number``, ``amount``, ``numbers`` and ``day`` of every request."""
        told = pl.DataFrame(REQUESTS.filled(requests)).with_columns(
            pl.col("amount").cast(pl.Float64).fill_nan(None),  # tensors have no null
            pl.col("numbers").cast(pl.List(pl.Float32)).list.eval(pl.element().fill_nan(None)),
        )
        problems = [
            f"request {row}: {problem}"
            for row, one in enumerate(told.rows())
            for problem in _problems(*one, wanted=self._scorer.numbers)
        ]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return told.select(
            *(self._number(side).alias(f"{side}_number") for side in ("from", "to")),
            "amount",
            "numbers",
            day=pl.lit(self._before),
        )

    def _number(self, side: str) -> pl.Expr:
        return pl.col(f"{side}_party").replace_strict(self._numbers, default=EVERYBODY, return_dtype=pl.Int32)


def _problems(
    from_party: str | None,
    to_party: str | None,
    amount: float | None,
    numbers: list[float | None] | None,
    *,
    wanted: int,
) -> Iterator[str]:
    for name, party in {"from_party": from_party, "to_party": to_party}.items():
        if not party:
            yield f"{name} is missing, wanted a party"
    if from_party and from_party == to_party:
        yield f"from_party and to_party are both {from_party!r}, wanted two parties"
    if amount is not None and not np.isfinite(amount):
        yield f"amount is {amount}, wanted a finite number or none"
    if numbers is not None and len(numbers) != wanted:
        yield f"numbers are {len(numbers):,}, wanted {wanted:,} or none"
    if any(number is not None and not np.isfinite(number) for number in numbers or ()):
        yield f"numbers are {numbers}, wanted finite ones, NaN where one is not known"
