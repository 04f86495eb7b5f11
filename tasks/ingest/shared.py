"""Files staged side by side: batches go to the workers, and what they say is put together, file by file."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from distributed import Client, Future, as_completed

from data_contracts.contract import DataContract
from data_contracts.staged import StagedIndex, StagedPart
from tasks.ingest.batch import StagedBatch, Target, stage_batch
from tasks.ingest.batches import batches
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import IngestError, joined
from tasks.ingest.files import Found, StagedFile, put_together
from tasks.ingest.pieces import Piece
from tasks.ingest.sources import SourceFile

log = logging.getLogger(__name__)

_TIMES_SAID = 10
"""How often a night says how far it is."""


class Order(NamedTuple):
    """What is the same for all files of a night, see `stage_batch`."""

    folder: str
    cells: int
    source: SourceConfig
    contract: DataContract
    day_zone: str


def stage_files(client: Client, files: Sequence[SourceFile], order: Order) -> tuple[list[StagedFile], StagedIndex]:
    """Stage ``files``, and return what became of each and where their rows are, both in their order.

    Raises:
        IngestError: Some of them cannot be taken; each is named.
        OSError: Remote storage does not answer, or sends less than it should; that may pass.
    """
    shares = list(batches(files, order.source, len(client.nthreads())))
    futures = [
        client.submit(
            stage_batch,
            share,
            Target(folder=order.folder, name=f"{number:06}", cells=order.cells),
            order.source,
            order.contract,
            order.day_zone,
            pure=False,
        )
        for number, share in enumerate(shares)
    ]
    _say_progress(client, futures)
    staged: list[StagedBatch] = client.gather(futures)
    found, parts = by_file(zip(shares, staged, strict=True))
    taken: list[StagedFile] = []
    errors: list[IngestError] = []
    for file in files:
        try:
            taken.append(put_together(file, order.source, found[file.uri]))
        except IngestError as error:
            errors.append(error)
    if errors:
        raise joined(sorted(errors, key=str), order.source.of)
    return taken, StagedIndex(cells=order.cells, parts=tuple(parts))


def by_file(
    staged: Iterable[tuple[Sequence[Piece], StagedBatch]],
) -> tuple[dict[str, list[Found | IngestError]], list[StagedPart]]:
    """Return what the pieces of each file say, by its URI, and all parts with the rows that stand before theirs.

    Args:
        staged: Batches, those of a file in its order, and what became of them.
    """
    found: dict[str, list[Found | IngestError]] = defaultdict(list)
    parts: list[StagedPart] = []
    for share, batch in staged:
        before = sum(each.observed.rows for each in found[share[0].file.uri] if isinstance(each, Found))
        parts += [part.model_copy(update={"first_row": before}) for part in batch.parts]
        for piece, each in zip(share, batch.found, strict=True):
            found[piece.file.uri].append(each)
    return found, parts


def _say_progress(client: Client, futures: Sequence[Future[StagedBatch]]) -> None:
    """Say now and then how far it is, until all is done or something failed that is no fault of a file."""
    rows = said = 0
    for done, future in enumerate(as_completed(futures, loop=client.loop), start=1):
        rows += sum(sum(part.rows) for part in future.result().parts)
        share = done * _TIMES_SAID // len(futures)
        if share > said:
            log.info("%s %% staged: %s rows.", 100 * done // len(futures), f"{rows:,}")
            said = share
