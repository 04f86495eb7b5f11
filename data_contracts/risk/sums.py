"""What is remembered of the past, as sums that add up: of each party's day, and of each pair's.

Written by ``preprocess``; read by ``preprocess`` and ``register``. A day may stand in several windows: what came late
is in that of the night it came in.

A transaction is counted on the day on which it happened; what its label says, on the day on which that was known. So
rows are only ever added, and a sum over the days before one has nothing in it that was said later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.days import end_of
from data_contracts.risk.parties import EVERYBODY
from data_contracts.rules import Rule, between

GAVE: Final = "gave"
GOT: Final = "got"
ALL: Final = "all"
"""A party's part in a transaction: it is its ``from_party``, or its ``to_party``; or nobody's, all are summed up."""

SUMS = (
    pa.field("count", pa.int64(), nullable=False, metadata={"unit": "transactions that happened"}),
    pa.field("labelled", pa.int64(), nullable=False, metadata={"unit": "labels that were known from then on"}),
    pa.field("bad", pa.int64(), nullable=False, metadata={"unit": "of these, the bad ones"}),
    pa.field("outcomes", pa.int64(), nullable=False, metadata={"unit": "outcomes, known with their label"}),
    pa.field("outcome", pa.float64(), nullable=False, metadata={"unit": "sum of the outcomes"}),
    pa.field("outcome_squares", pa.float64(), nullable=False, metadata={"unit": "sum of their squares"}),
    pa.field("sizes", pa.int64(), nullable=False, metadata={"unit": "transactions with an amount"}),
    pa.field("size", pa.float64(), nullable=False, metadata={"unit": "sum of sign(amount) ln(1 + |amount|)"}),
    pa.field("size_squares", pa.float64(), nullable=False, metadata={"unit": "sum of their squares"}),
)
"""What is summed up, whoever's past it is."""
NAMES = tuple(field.name for field in SUMS)


def _counts(limits: Limits) -> list[Rule]:
    return [
        between("count", 0, None, "count below 0"),
        between("summed", 1, None, "neither transactions nor labels"),
        between("bad", 0, None, "bad below 0"),
        between("good", 0, None, "more bad ones than labels"),
        between("midnight", None, end_of(limits.latest, "UTC"), "day after through"),
    ]


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what counts come to, and days, of whatever zone, as UTC's midnights."""
    import polars as pl

    shown = pl.DataFrame(table).with_columns(
        summed=pl.col("count") + pl.col("labelled"),
        good=pl.col("labelled") - pl.col("bad"),
        midnight=pl.col("day").cast(pl.Datetime("us", "UTC")),
    )
    return shown.drop("day", "window").to_arrow()


def _party_rules(limits: Limits) -> Sequence[Rule]:
    return [between("party", EVERYBODY, None, f"party below {EVERYBODY}"), *_counts(limits)]


def _pair_rules(limits: Limits) -> Sequence[Rule]:
    numbers = [between(name, EVERYBODY + 1, None, f"{name} below 1") for name in ("from_number", "to_number")]
    return [*numbers, *_counts(limits)]


_WHEN = (pa.field("day", pa.date32(), nullable=False), pa.field("window", pa.string(), nullable=False))

HAPPENED_ON = pa.field(
    "happened_on", pa.date32(), metadata={"unit": "day of the transactions; ``day`` where null, as in rows of before"}
)

PARTY_DAYS = DataContract(
    name="party_days",
    schema=pa.schema(
        [
            pa.field("party", pa.int32(), nullable=False, metadata={"unit": "number of a party; 0: everybody"}),
            pa.field("part", pa.string(), nullable=False, metadata={"unit": f"{GAVE} or {GOT}; of everybody {ALL}"}),
            *SUMS,
            *_WHEN,
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "register"),
    partition_by="window",
    checked=_checked,
    row_rules=_party_rules,
)

PAIRS = DataContract(
    name="pairs",
    schema=pa.schema(
        [
            pa.field("from_number", pa.int32(), nullable=False),
            pa.field("to_number", pa.int32(), nullable=False),
            *SUMS,
            *_WHEN,
            HAPPENED_ON,
        ]
    ),
    written_by="preprocess",
    read_by=("preprocess", "register"),
    partition_by="window",
    checked=_checked,
    row_rules=_pair_rules,
    steps=(Step(added=(HAPPENED_ON,)),),
)
