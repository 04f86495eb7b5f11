"""Transactions: one row each time a party deals with another. Written by ``validate``, read by ``preprocess``.

Where rows have but one party, a client of a bank say, the other is the same in all of them. A source without such a
column names it in `source.defaults`; in a column that is there, an empty cell breaks its row.

A label may come with its row, and is then taken for known when that happened; or later, by itself, see
`data_contracts.risk.labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.risk import numbers
from data_contracts.rules import Rule, between, in_time, not_null, one_of

FINITE, INFINITE, NAN = "finite", "infinite", "NaN"
PARTIES = ("from_party", "to_party")
AMOUNTS = ("amount", "outcome")
KEY = pa.field("transaction_id", pa.string(), metadata={"unit": "by which a label of its own finds it; null without"})
TEXTS = (*PARTIES, KEY.name)


def kind_of(number: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what kind of number each is, null for null: to rules NaN is null."""
    return pc.if_else(pc.is_finite(number), FINITE, pc.if_else(pc.is_nan(number), NAN, INFINITE))


def _checked(table: pa.Table) -> pa.Table:
    """Show rules the bytes of texts, how many parties there are, kinds of numbers, lists, and who may say the label."""
    shown = table.select([*PARTIES, "label", "happened_at"])
    for name in TEXTS:
        shown = shown.append_column(f"{name}_bytes", pc.binary_length(table[name]))
    lists = numbers.checked(table)
    for name in lists.column_names:
        shown = shown.append_column(name, lists[name])
    for name in AMOUNTS:
        shown = shown.append_column(f"{name}_is", kind_of(table[name]))
    is_one = pc.equal(table["from_party"], table["to_party"])
    later = pc.if_else(pc.is_valid(table[KEY.name]), "a source of its own", pa.scalar(None, pa.string()))
    shown = shown.append_column("labelled_by", pc.if_else(pc.is_valid(table["label"]), "itself", later))
    return shown.append_column("parties", pc.if_else(is_one, "one", "two"))


def _row_rules(limits: Limits) -> Sequence[Rule]:
    present = [not_null(name, f"{name} missing") for name in (*PARTIES, "happened_at")]
    bounded = [between(f"{name}_bytes", None, limits.max_id_bytes, f"{name} too long") for name in TEXTS]
    finite = [one_of(f"{name}_is", [FINITE], f"{name} not finite") for name in AMOUNTS]
    found = not_null("labelled_by", f"neither {KEY.name} nor label")
    return [
        *present,
        *bounded,
        one_of("parties", ["two"], "transaction with oneself"),
        *finite,
        *numbers.rules(),
        one_of("label", [0, 1], "label neither 0 nor 1"),
        *in_time("happened_at", limits),
        *([found] if limits.labels_come else []),
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
            KEY,
        ]
    ),
    written_by="validate",
    read_by=("preprocess",),
    partition_by="day",
    time_column="happened_at",
    checked=_checked,
    row_rules=_row_rules,
    steps=(numbers.WITH_NUMBERS, Step(added=(KEY,))),
)
