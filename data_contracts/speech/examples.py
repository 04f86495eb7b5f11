"""Examples: recordings as log-mel frames, with what is said, by window.

Written by ``preprocess``; read by everybody after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import DataContract, Limits
from data_contracts.days import end_of
from data_contracts.rules import Rule, between


def _checked(table: pa.Table) -> pa.Table:
    """Show rules how many bytes each frame has, beside those of the first recording, and how long texts are."""
    of_frame = pc.divide(pc.binary_length(table["log_mel"]).cast(pa.float64()), table["frames"])
    first = of_frame[0].as_py() if table.num_rows else 0
    return (
        table.select(["frames", "known_at"])
        .append_column("bytes_more", pc.subtract(of_frame, first))
        .append_column("characters", pc.utf8_length(table["text"]))
    )


def _row_rules(limits: Limits) -> Sequence[Rule]:
    return [
        between("frames", 1, None, "recording without a frame"),
        between("bytes_more", 0, 0, "frames of another size"),
        between("characters", 1, None, "text without a character"),
        between("known_at", None, end_of(limits.latest, limits.day_zone), "known_at after through"),
    ]


EXAMPLES = DataContract(
    name="examples",
    schema=pa.schema(
        [
            pa.field("log_mel", pa.binary(), nullable=False, metadata={"unit": "float16, frame by frame"}),
            pa.field("frames", pa.int32(), nullable=False),
            pa.field("text", pa.string(), nullable=False, metadata={"unit": "as `transcribed.normalised` writes it"}),
            pa.field(
                "known_at",
                pa.timestamp("us", tz="UTC"),
                nullable=False,
                metadata={"unit": "when it was there, and what is said was known"},
            ),
            pa.field("window", pa.string(), nullable=False),
            pa.field("speaker_id", pa.string(), metadata={"unit": "who speaks; null without"}),
            pa.field("digest", pa.int64(), nullable=False, metadata={"unit": "of log_mel: copies have the same"}),
        ]
    ),
    written_by="preprocess",
    read_by=("train", "evaluate", "register"),
    partition_by="window",
    rows_per_row_group=256,
    checked=_checked,
    row_rules=_row_rules,
)
