"""Quarantine: rows that broke a rule, as they came, with the rule. Written by ``validate``, read by people."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from data_contracts.contract import DataContract

QUARANTINE = DataContract(
    name="quarantine",
    schema=pa.schema(
        [
            pa.field("row", pa.string(), nullable=False, metadata={"unit": "JSON, the row as it came"}),
            pa.field("source_file", pa.string(), nullable=False),
            pa.field("source_row", pa.int64(), nullable=False, metadata={"unit": "rows from 0, header not counted"}),
            pa.field("rule", pa.string(), nullable=False, metadata={"unit": "the first rule broken"}),
            pa.field("day_ingested", pa.date32(), nullable=False),
        ]
    ),
    written_by="validate",
    read_by=("people",),
    partition_by="day_ingested",
)
"""Of the truth's."""


def quarantine_of(contract: DataContract) -> DataContract:
    """Return the same promise about another table's rows: each has a quarantine, so that commits do not mix."""
    return replace(QUARANTINE, name=f"{QUARANTINE.name}_{contract.name}")
