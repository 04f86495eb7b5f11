"""One file of a source, staged and read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.buckets import Buckets
from data_contracts.contract import DataContract
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.promises import PROMISES
from data_contracts.staged import StagedIndex, StagedPart, read_rows
from tasks.ingest.batch import Target, stage_batch
from tasks.ingest.config import SourceConfig
from tasks.ingest.files import StagedFile, put_together
from tasks.ingest.pieces import Piece
from tasks.ingest.shared import by_file
from tasks.ingest.sources import SourceFile, list_files

_NEVER = datetime.max.replace(tzinfo=UTC)


def source_of(**settings: Any) -> SourceConfig:
    """Return a source as the recommender has it."""
    return SourceConfig(**settings).with_defaults(PROMISES.defaults)


def at(path: Path | str) -> Target:
    """Return where the parts of a file go whose names begin with a path."""
    return Target(folder=str(Path(path).parent), name=Path(path).name)


class Staged(StagedFile):
    """What became of one file, with its own parts."""

    parts: tuple[StagedPart, ...]


def stage_file(
    file: SourceFile, target: Target, source: SourceConfig, contract: DataContract, pieces: Sequence[Piece] = ()
) -> Staged:
    """Stage one file, cut into ``pieces``, as a night does it."""
    shares = [[piece] for piece in pieces or [Piece(file=file)]]
    targets = [target.model_copy(update={"name": f"{target.name}-{number}"}) for number in range(len(shares))]
    done = [stage_batch(share, own, source, contract) for share, own in zip(shares, targets, strict=True)]
    found, parts = by_file(zip(shares, done, strict=True))
    return Staged(**dict(put_together(file, source, found[file.uri])), parts=tuple(parts))


def rows_at(target: Target, staged: Staged) -> list[dict[str, Any]]:
    """Return the rows of a staged file, in its order."""
    rows = frame_at(target, staged)
    return rows.to_dicts() if rows is not None else []


def frame_at(target: Target, staged: Staged) -> pl.DataFrame | None:
    """Return the rows of a staged file, in its order; None where it has none."""
    index = StagedIndex(cells=target.cells, parts=staged.parts)
    parts = list(read_rows(target.folder, index.first_rows, target.cells, Buckets()))
    return pl.concat(parts).sort("source_row", maintain_order=True) if parts else None


def stage(path: Path, content: bytes | str, **settings: Any) -> tuple[Staged, list[dict[str, Any]]]:
    """Write ``content``, take it, and return what was staged, in the order of the file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (source,) = list_files(str(path))
    target = at(path.with_name("staged"))
    staged = stage_file(source, target, source_of(uri=str(path), **settings), EVENTS)
    rows = rows_at(target, staged)
    return staged, sorted(rows, key=lambda row: (row["source_row"], row["timestamp"] or _NEVER))
