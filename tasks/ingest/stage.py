"""Take the source files not seen before as typed rows without repeats, whatever days the rows are of."""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from distributed import Client, as_completed

from data_contracts.commit_point import commit_point
from data_contracts.contract import DataContract
from data_contracts.manifest import seal
from data_contracts.night import Staged, Workspace
from data_contracts.promises import Inflow
from data_contracts.staging import clear
from data_contracts.table import Table
from data_contracts.use_cases import incoming_tables, promises
from tasks.ingest.changes import Span, agreed, remembered
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import MADE_UP
from tasks.ingest.errors import IngestError, NoFilesError, joined
from tasks.ingest.files import StagedFile, stage_file
from tasks.ingest.overlaps import say_overlaps
from tasks.ingest.repeats import Chunk, Days, added, drop_repeats, plan
from tasks.ingest.sources import SourceFile, list_files
from tasks.ingest.unseen import unseen_files

log = logging.getLogger(__name__)


def stage_night(workspace: Workspace, source: SourceConfig, cluster: str) -> Staged:
    """Stage every source file that its table has not consumed: the truth's, or that of labels, as ``source.of`` says.

    Args:
        workspace: Whose tables say what was consumed, and where to stage.
        source: Where the logs lie and how to read them.
        cluster: Address of the Dask scheduler.

    Returns:
        What was staged, sealed by a manifest; nothing (``uri=""``) when no file is new.

    Raises:
        IngestError: The source cannot be taken as it is; see `tasks.ingest.errors`. Nothing is left in staging.
    """
    truth, quarantine = incoming_tables(workspace, source.of)
    if source.of == "source":
        source = source.with_defaults(promises(workspace.use_case).defaults)
    if not source.uri:
        raise NoFilesError(
            f"{source.named('uri')} is not set. Say where its files lie, a file, a folder or a glob: in the settings "
            f"file, as NIGHTSHIFT_{source.of.upper()}__URI, or by --{source.named('uri')}."
        )
    files = list_files(source.uri, source.storage_options, tables=source.format == "delta")
    new = unseen_files(files, truth, quarantine)
    log.info("%s of %s files at %s are new.", f"{len(new):,}", f"{len(files):,}", source.uri)
    if not new:
        return Staged(uri="")
    if source.arrival:
        log.info("Rows say no time: %s (%s: %s).", MADE_UP[source.arrival], source.named("arrival"), source.arrival)
    folder = _folder(workspace, source.of, new)
    with Client(cluster, set_as_default=False) as client, _own(folder):
        taken = _stage_files(client, new, folder, source, truth.contract, workspace.day_zone)
        given = [file for file in taken if file.rows]
        if source.arrival == "order":
            say_overlaps(taken)
        known = remembered(truth)
        columns = agreed(given, known, source, truth.contract) if given else known
        with commit_point("staging"):
            chunks = _drop_repeats(client, taken, folder, truth)
            seal(Path(folder))
    return _staged(folder, taken, chunks, columns, truth.contract.name, source.named("where"))


def _staged(
    folder: str, taken: Sequence[StagedFile], chunks: Sequence[Chunk], columns: dict[str, Span], table: str, where: str
) -> Staged:
    left_out = sum(file.left_out for file in taken)
    read = sum(file.rows for file in taken) + left_out
    repeats, known = (sum(getattr(chunk, name) for chunk in chunks) for name in ("repeats", "known"))
    log.info(
        "%s rows staged; %s left out by %s; %s exact repeats dropped, %s of them of rows in table %r.",
        f"{read - left_out - repeats:,}",
        f"{left_out:,}",
        where,
        f"{repeats:,}",
        f"{known:,}",
        table,
    )
    return Staged(
        uri=folder,
        consumed=tuple(file.source.transaction for file in taken),
        rows_read=read,
        repeats=repeats,
        left_out=left_out,
        again=tuple(sorted({file for chunk in chunks for file in chunk.again})),
        columns=columns,
        unread_time=next((f"{file.source.name} has {file.unread_time}" for file in taken if file.unread_time), ""),
    )


def _stage_files(
    client: Client,
    files: Sequence[SourceFile],
    folder: str,
    source: SourceConfig,
    contract: DataContract,
    day_zone: str,
) -> list[StagedFile]:
    futures = [
        client.submit(stage_file, file, _path(folder, f"files/{number:06}"), source, contract, day_zone, pure=False)
        for number, file in enumerate(files)
    ]
    errors: list[IngestError] = []
    for done, future in enumerate(as_completed(futures, loop=client.loop), start=1):
        error = future.exception()
        if error is None:
            log.info(
                "%s: %s rows (%s of %s files).",
                future.result().source.name,
                f"{future.result().rows:,}",
                done,
                len(files),
            )
        elif isinstance(error, IngestError):
            errors.append(error)
        else:
            raise error
    if errors:
        raise joined(sorted(errors, key=str), source.of)
    return list(client.gather(futures))


def _drop_repeats(client: Client, taken: Sequence[StagedFile], folder: str, truth: Table) -> list[Chunk]:
    known = _known(truth, added(file.days for file in taken))
    futures = [
        client.submit(
            drop_repeats,
            [file.path for file in taken if part.touches(file.days)],
            {day: files for day, files in known.items() if part.touches({day: len(files)})},
            part,
            _path(folder, f"part-{number:05}"),
            truth.contract,
            pure=False,
        )
        for number, part in enumerate(plan(added(file.weights for file in taken)))
    ]
    chunks: list[Chunk] = client.gather(futures)
    clear(posixpath.join(folder, "files"))
    return chunks


def _known(truth: Table, days: Days) -> dict[date, list[str]]:
    """Files of the truth that may hold the rows of ``days`` already, by day."""
    known: defaultdict[date, list[str]] = defaultdict(list)
    for file in sorted(truth.file_rows()):
        day = date.fromisoformat(truth.partition_of(file))
        if day in days:
            known[day].append(file)
    return known


def _folder(workspace: Workspace, of: Inflow, files: Sequence[SourceFile]) -> str:
    """Name the folder after what it takes: a night that runs again finds what it left."""
    names = "\n".join([of, *(file.transaction for file in files)])
    return posixpath.join(workspace.staging, hashlib.sha256(names.encode()).hexdigest()[:16])


def _path(folder: str, name: str) -> str:
    return posixpath.join(folder, f"{name}.parquet")


@contextmanager
def _own(folder: str) -> Iterator[None]:
    """Remove what a crash left in ``folder``, and what an error leaves."""
    clear(folder)
    try:
        yield
    except BaseException:
        clear(folder)
        raise
