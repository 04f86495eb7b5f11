"""Examples: transactions, and what was known of their parties the day before.

Written by ``preprocess``; read by ``train`` and ``evaluate``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.contract import DataContract, Limits, Step
from data_contracts.days import end_of
from data_contracts.risk import numbers
from data_contracts.risk.parties import EVERYBODY, LAST_NUMBER
from data_contracts.risk.sums import GAVE, GOT
from data_contracts.rules import Rule, between

RECENT_DAYS = 90
"""What is called recent: the days before a transaction's own, so many of them."""


def _of_parties() -> dict[str, str]:
    """Name what is known of each party in each of its parts."""
    told: dict[str, str] = {}
    for party, who in {"from": "the giving party", "to": "the receiving party"}.items():
        for part in (GAVE, GOT):
            name, what = f"{party}_{part}", f"what {who} {part}"
            told |= {
                f"{name}_count": f"how many transactions {who} {part}",
                f"{name}_bad": f"how many bad transactions {who} {part}",
                f"{name}_bad_share": f"share of bad in {what}",
                f"{name}_outcome": f"mean outcome of {what}",
                f"{name}_outcome_spread": f"spread of the outcomes of {what}",
                f"{name}_recent_count": f"how many transactions {who} {part} in the last {RECENT_DAYS} days",
                f"{name}_recent_bad_share": f"share of bad in labels of {what}, said in the last {RECENT_DAYS} days",
                f"{name}_freshness": f"how lately {who} {part} anything",
            }
        told[f"{party}_age"] = f"how long {who} has been known"
    return told


def _of_pairs() -> dict[str, str]:
    """Name what is known of the two together, and of those who know both."""
    told: dict[str, str] = {}
    for name, what in {
        "again": "what the giving party gave to the receiving one before",
        "back": "what the receiving party gave to the giving one before",
    }.items():
        told |= {
            f"{name}_count": f"number of transactions in {what}",
            f"{name}_bad": f"number of bad ones in {what}",
            f"{name}_outcome": f"sum of the outcomes of {what}",
        }
    for name, whom in {"trusted": "had nothing bad with", "doubted": "had something bad with"}.items():
        told |= {
            f"{name}_good": f"good that the receiving party got of partners whom the giving one {whom}",
            f"{name}_bad": f"bad that the receiving party got of partners whom the giving one {whom}",
        }
    told["trusted_outcome"] = "outcomes of what the receiving party got of partners whom the giving one trusts"
    return told


FEATURES = {
    **_of_parties(),
    **_of_pairs(),
    "size": "the amount",
    "size_known": "whether the amount is known",
    "size_unusual": "how unusual the amount is for the giving party",
}
"""Feature to what it is, in plain words; `data_contracts.risk.measures` says how it is computed. All are finite."""


def _checked(table: pa.Table) -> pa.Table:
    """Show rules whether all features are finite, and what lists hold."""
    import polars as pl

    shown = pl.DataFrame(table).select(
        "from_number",
        "to_number",
        "label",
        "happened_at",
        "known_at",
        odd=pl.sum_horizontal((~pl.col(*FEATURES).is_finite()).cast(pl.Int64)),
    )
    return pl.concat([shown, pl.DataFrame(numbers.checked(table))], how="horizontal").to_arrow()


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("from_number", EVERYBODY + 1, LAST_NUMBER, "from_number out of range"),
        between("to_number", EVERYBODY + 1, LAST_NUMBER, "to_number out of range"),
        between("label", 0, 1, "label neither 0 nor 1"),
        between("happened_at", None, end_of(limits.latest, limits.day_zone), "happened_at after through"),
        between("known_at", None, end_of(limits.latest, limits.day_zone), "known_at after through"),
        between("odd", 0, 0, "feature not finite"),
        *numbers.rules(),
    ]


KNOWN_AT = pa.field(
    "known_at",
    pa.timestamp("us", tz="UTC"),
    metadata={"unit": "when it and its label were both there; `happened_at` where null, as in rows of before"},
)

EXAMPLES = DataContract(
    name="examples",
    schema=pa.schema(
        [
            pa.field("from_number", pa.int32(), nullable=False, metadata={"unit": "number of `from_party`"}),
            pa.field("to_number", pa.int32(), nullable=False, metadata={"unit": "number of `to_party`"}),
            *(pa.field(name, pa.float32(), nullable=False, metadata={"unit": what}) for name, what in FEATURES.items()),
            pa.field("label", pa.int8(), metadata={"unit": "1 bad, 0 good, null: nobody knows yet"}),
            pa.field("happened_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("window", pa.string(), nullable=False),
            numbers.NUMBERS,
            KNOWN_AT,
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate"),
    partition_by="window",
    checked=_checked,
    row_rules=_row_rules,
    steps=(numbers.WITH_NUMBERS, Step(added=(KNOWN_AT,))),
)
