"""One file of a source, staged and read back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.promises import PROMISES
from tasks.ingest.config import SourceConfig
from tasks.ingest.files import StagedFile, stage_file
from tasks.ingest.sources import list_files

_NEVER = datetime.max.replace(tzinfo=UTC)


def source_of(**settings: Any) -> SourceConfig:
    """Return a source as the recommender has it."""
    return SourceConfig(**settings).with_defaults(PROMISES.defaults)


def stage(path: Path, content: bytes | str, **settings: Any) -> tuple[StagedFile, list[dict[str, Any]]]:
    """Write ``content``, take it, and return what was staged, in the order of the file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (source,) = list_files(str(path))
    target = path.with_name("staged.parquet")
    staged = stage_file(source, str(target), source_of(uri=str(path), **settings), EVENTS)
    rows = pq.read_table(target).to_pylist() if target.stat().st_size else []
    return staged, sorted(rows, key=lambda row: (row["source_row"], row["timestamp"] or _NEVER))
