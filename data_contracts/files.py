"""Source files that were taken: an index of what a log says. Written by ``validate``, read by it and by ``ingest``.

`data_contracts.source_files` says how the two belong together.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from data_contracts.contract import DataContract

FILES = DataContract(
    name="files",
    schema=pa.schema(
        [
            pa.field("transaction", pa.string(), nullable=False, metadata={"unit": "what a source file calls itself"}),
            pa.field("night", pa.int64(), nullable=False, metadata={"unit": "version of the table that it came with"}),
        ]
    ),
    written_by="validate",
    read_by=("ingest", "validate"),
    keeps_itself_small=True,
)
"""Of the truth's."""


def files_of(contract: DataContract) -> DataContract:
    """Return the same promise about the source files of another table."""
    return replace(FILES, name=f"{FILES.name}_{contract.name}")
