"""Examples: events cut into context and targets. Written by ``preprocess``, read by ``train`` and ``evaluate``.

Put together, context and target are consecutive events of a user, and so are their kinds and times beside them. Of the
context these are null, not known, in rows that were written before version 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from data_contracts.buckets import BUCKETS
from data_contracts.contract import DataContract, Limits, Step
from data_contracts.days import end_of
from data_contracts.recommender.steps import shortest_steps
from data_contracts.rules import Rule, between


def _checked(table: pa.Table) -> pa.Table:
    """Show rules what is in the lists."""
    import polars as pl

    context, target, times = pl.col("context"), pl.col("target"), pl.col("target_timestamp")
    before = pl.col(CONTEXT_TIMESTAMP.name)
    rows = pl.DataFrame(table)
    shown = rows.select(
        "bucket",
        context_length=context.list.len(),
        target_length=target.list.len(),
        lowest_index=pl.min_horizontal(context.list.min(), target.list.min()),
        context_kinds_too_few=context.list.len() - pl.col(CONTEXT_EVENT.name).list.len().cast(pl.Int64),
        context_times_too_few=context.list.len() - before.list.len().cast(pl.Int64),
        context_shortest_step=shortest_steps(rows[CONTEXT_TIMESTAMP.name]),
        step_to_targets=(times.list.first() - before.list.last()).dt.total_microseconds(),
        kinds_too_few=target.list.len() - pl.col("target_event").list.len().cast(pl.Int64),
        times_too_few=target.list.len() - times.list.len().cast(pl.Int64),
        shortest_step=shortest_steps(rows["target_timestamp"]),
        last_time=times.list.max(),
    )
    return shown.to_arrow()


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("bucket", 0, BUCKETS - 1, "bucket out of range"),
        between("context_length", 1, None, "context empty"),
        between("target_length", 1, None, "target empty"),
        between("lowest_index", 1, None, "item_index below 1"),
        between("context_kinds_too_few", 0, 0, "context_event not as long as context"),
        between("context_times_too_few", 0, 0, "context_timestamp not as long as context"),
        between("context_shortest_step", 0, None, "context out of order"),
        between("step_to_targets", 0, None, "context later than its targets"),
        between("kinds_too_few", 0, 0, "target_event not as long as target"),
        between("times_too_few", 0, 0, "target_timestamp not as long as target"),
        between("shortest_step", 0, None, "targets out of order"),
        between("last_time", None, end_of(limits.latest, limits.day_zone), "target after through"),
    ]


CONTEXT_EVENT = pa.field(
    "context_event",
    pa.list_(pa.string()),
    metadata={"unit": "kind, beside context; null: not known"},
)
CONTEXT_TIMESTAMP = pa.field(
    "context_timestamp",
    pa.list_(pa.timestamp("us", tz="UTC")),
    metadata={"unit": "beside context; null: not known"},
)

EXAMPLES = DataContract(
    name="examples",
    schema=pa.schema(
        [
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("bucket", pa.int32(), nullable=False, metadata={"unit": "hash of the user, 0…1023"}),
            pa.field("context", pa.list_(pa.int32()), nullable=False, metadata={"unit": "item_index, oldest first"}),
            pa.field("target", pa.list_(pa.int32()), nullable=False, metadata={"unit": "item_index, oldest first"}),
            pa.field(
                "target_event",
                pa.list_(pa.string()),
                nullable=False,
                metadata={"unit": "kind, beside target"},
            ),
            pa.field(
                "target_timestamp",
                pa.list_(pa.timestamp("us", tz="UTC")),
                nullable=False,
                metadata={"unit": "beside target"},
            ),
            pa.field("window", pa.string(), nullable=False),
            CONTEXT_EVENT,
            CONTEXT_TIMESTAMP,
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate"),
    partition_by="window",
    rows_per_row_group=4096,
    checked=_checked,
    row_rules=_row_rules,
    steps=(Step(added=(CONTEXT_EVENT, CONTEXT_TIMESTAMP)),),
)
