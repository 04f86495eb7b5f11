"""Transactions: one row each time a party deals with another. Written by ``validate``, read by ``preprocess``.

Where rows have but one party, a client of a bank say, the other is the same in all of them. A source without such a
column names it in `source.defaults`; in a column that is there, an empty cell breaks its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.risk import numbers
from data_contracts.rules import between, in_time

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

FINITE, INFINITE, NAN = "finite", "infinite", "NaN"
PARTIES = ("from_party", "to_party")
AMOUNTS = ("amount", "outcome")


def kind_of(number: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what kind of number each is, null for null: to Great Expectations NaN is null."""
    return pc.if_else(pc.is_finite(number), FINITE, pc.if_else(pc.is_nan(number), NAN, INFINITE))


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of parties, how many they are, what kinds of number there are, and what lists hold."""
    shown = table.select([*PARTIES, "label", "happened_at"])
    for name in PARTIES:
        shown = shown.append_column(f"{name}_bytes", pc.binary_length(table[name]))
    lists = numbers.checked(table)
    for name in lists.column_names:
        shown = shown.append_column(name, lists[name])
    for name in AMOUNTS:
        shown = shown.append_column(f"{name}_is", kind_of(table[name]))
    is_one = pc.equal(table["from_party"], table["to_party"])
    return shown.append_column("parties", pc.if_else(is_one, "one", "two"))


def _row_rules(limits: Limits) -> Sequence[Expectation]:
    from great_expectations.expectations import ExpectColumnValuesToBeInSet, ExpectColumnValuesToNotBeNull

    present = [
        ExpectColumnValuesToNotBeNull(column=name, meta={"rule": f"{name} missing"})
        for name in (*PARTIES, "happened_at")
    ]
    bounded = [between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in PARTIES]
    finite = [
        ExpectColumnValuesToBeInSet(column=f"{name}_is", value_set=[FINITE], meta={"rule": f"{name} not finite"})
        for name in AMOUNTS
    ]
    return [
        *present,
        *bounded,
        ExpectColumnValuesToBeInSet(column="parties", value_set=["two"], meta={"rule": "transaction with oneself"}),
        *finite,
        *numbers.rules(),
        ExpectColumnValuesToBeInSet(column="label", value_set=[0, 1], meta={"rule": "label neither 0 nor 1"}),
        *in_time("happened_at", limits),
    ]


TRANSACTIONS = DataContract(
    name="transactions",
    schema=pa.schema(
        [
            pa.field("from_party", pa.string(), nullable=False),
            pa.field("to_party", pa.string(), nullable=False),
            pa.field("amount", pa.float64(), metadata={"unit": "any one, known when it happens"}),
            pa.field("label", pa.int8(), metadata={"unit": "1 bad, 0 good, null: nobody knows yet"}),
            pa.field("outcome", pa.float64(), metadata={"unit": "how it turned out, known with the label"}),
            pa.field("happened_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("day", pa.date32(), nullable=False),
            numbers.NUMBERS,
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="happened_at",
    checked=_checked,
    row_rules=_row_rules,
    steps=(numbers.WITH_NUMBERS,),
)
