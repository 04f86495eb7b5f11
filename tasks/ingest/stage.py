"""Take the source files not seen before as typed rows, by buckets, whatever days the rows are of."""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from distributed import Client

from data_contracts.buckets import BUCKETS
from data_contracts.commit_point import commit_point
from data_contracts.night import Staged, Workspace
from data_contracts.promises import Inflow
from data_contracts.staged import write_index
from data_contracts.staging import clear
from data_contracts.use_cases import incoming_tables, promises
from tasks.ingest.changes import Span, agreed, remembered
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import MADE_UP
from tasks.ingest.errors import NoFilesError
from tasks.ingest.files import StagedFile
from tasks.ingest.overlaps import say_overlaps
from tasks.ingest.shared import Order, stage_files
from tasks.ingest.sources import SourceFile, list_files
from tasks.ingest.unseen import unseen_files

log = logging.getLogger(__name__)

_BYTES_OF_A_ROW = 16
"""In a file, at least, as a rule."""
_ROWS_OF_A_CELL = 250_000
"""About; a night has more cells rather than larger ones. So many that each can be held several times."""


def stage_night(workspace: Workspace, source: SourceConfig, cluster: str) -> Staged:
    """Stage every source file that its table has not consumed: the truth's, or that of labels, as ``source.of`` says.

    Args:
        workspace: Whose tables say what was consumed, and where to stage.
        source: Where the logs lie and how to read them.
        cluster: Address of the Dask scheduler.

    Returns:
        What was staged; nothing (``uri=""``) when no file is new.

    Raises:
        IngestError: The source cannot be taken as it is; see `tasks.ingest.errors`. Nothing is left in staging.
    """
    truth, _, taken_before = incoming_tables(workspace, source.of)
    if source.of == "source":
        source = source.with_defaults(promises(workspace.use_case).defaults)
    if not source.uri:
        raise NoFilesError(
            f"{source.named('uri')} is not set. Say where its files lie, a file, a folder or a glob: in the settings "
            f"file, as NIGHTSHIFT_{source.of.upper()}__URI, or by --{source.named('uri')}."
        )
    files = list_files(source.uri, source.storage_options, tables=source.format == "delta")
    new = unseen_files(files, taken_before)
    log.info("%s of %s files at %s are new.", f"{len(new):,}", f"{len(files):,}", source.uri)
    if not new:
        return Staged(uri="")
    if source.arrival:
        log.info("Rows say no time: %s (%s: %s).", MADE_UP[source.arrival], source.named("arrival"), source.arrival)
    folder = _folder(workspace, source.of, new)
    with Client(cluster, set_as_default=False) as client, _own(folder):
        order = Order(folder, _cells(new), source, truth.contract, workspace.day_zone)
        taken, index = stage_files(client, new, order)
        given = [file for file in taken if file.rows]
        if source.arrival == "order":
            say_overlaps(taken)
        known = remembered(truth)
        columns = agreed(given, known, source, truth.contract) if given else known
        with commit_point("staging"):
            write_index(folder, index)
    return _staged(folder, taken, columns, source.named("where"))


def _cells(files: Sequence[SourceFile]) -> int:
    """Return into how many cells the rows of some files are parted: a power of two, by their bytes."""
    wanted = sum(file.size for file in files) // (_BYTES_OF_A_ROW * _ROWS_OF_A_CELL)
    return min(1 << int(wanted).bit_length(), BUCKETS)


def _staged(folder: str, taken: Sequence[StagedFile], columns: dict[str, Span], where: str) -> Staged:
    left_out = sum(file.left_out for file in taken)
    rows = sum(file.rows for file in taken)
    log.info("%s rows staged; %s left out by %s.", f"{rows:,}", f"{left_out:,}", where)
    return Staged(
        uri=folder,
        consumed=tuple(file.source.transaction for file in taken),
        rows_read=rows + left_out,
        left_out=left_out,
        columns=columns,
        unread_time=next((f"{file.source.name} has {file.unread_time}" for file in taken if file.unread_time), ""),
    )


def _folder(workspace: Workspace, of: Inflow, files: Sequence[SourceFile]) -> str:
    """Name the folder after what it takes: a night that runs again finds what it left."""
    names = "\n".join([of, *(file.transaction for file in files)])
    return posixpath.join(workspace.staging, hashlib.sha256(names.encode()).hexdigest()[:16])


@contextmanager
def _own(folder: str) -> Iterator[None]:
    """Remove what a crash left in ``folder``, and what an error leaves."""
    clear(folder)
    try:
        yield
    except BaseException:
        clear(folder)
        raise
