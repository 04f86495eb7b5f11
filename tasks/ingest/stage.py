"""Take the source files not seen before, up to a day, as typed rows without repeats."""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

import fsspec
from distributed import Client, as_completed

from data_contracts.contract import DataContract
from data_contracts.night import Staged, Workspace
from data_contracts.staging import staging
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.ingest.config import SourceConfig
from tasks.ingest.days import added, median_day, newest_complete_day
from tasks.ingest.errors import NOTHING_PUBLISHED, EmptyDayError, IngestError, joined
from tasks.ingest.files import StagedFile, stage_file
from tasks.ingest.repeats import Chunk, drop_repeats, plan
from tasks.ingest.sources import SourceFile, list_files

log = logging.getLogger(__name__)


def stage_night(workspace: Workspace, source: SourceConfig, through: date | None, cluster: str) -> Staged:
    """Stage every source file that table `events` has not consumed, less those whose median event is after the night.

    Args:
        workspace: Whose tables say what was consumed, and where to stage.
        source: Where the logs lie and how to read them.
        through: Last day to take, UTC; the newest complete day in the new files when omitted.
        cluster: Address of the Dask scheduler.

    Returns:
        What was staged; nothing (``uri=""``) when no file is new, or none holds a day after the last window.

    Raises:
        IngestError: The source cannot be taken as it is; see `tasks.ingest.errors`. Nothing is left in staging.
    """
    contract = contracts(workspace.use_case)["events"]
    files = list_files(source.uri)
    new, through = _new_files(workspace, files, through)
    window_end = _window_end(workspace)
    if not new:
        log.info("Nothing new: all %s files at %s were taken before.", f"{len(files):,}", source.uri)
        return _nothing(window_end)
    log.info("%s of %s files are new.", f"{len(new):,}", f"{len(files):,}")
    folder = _folder(workspace, new)
    with Client(cluster, set_as_default=False) as client, _removed_on_error(folder):
        staged = _stage_files(client, new, folder, source, contract)
        through = through or newest_complete_day(added(*(file.days for file in staged)), today=datetime.now(UTC).date())
        taken = _due(staged, through)
        if window_end is not None and (not taken or through <= window_end):
            log.info("Nothing to take yet: tables end on %s, and these files on %s. They wait.", window_end, through)
            _remove(folder)
            return _nothing(window_end)
        _refuse_an_empty_day(taken, staged, through)
        chunks = _drop_repeats(client, taken, folder, contract)
    return Staged(
        uri=folder,
        files=tuple(file.source.uri for file in taken),
        consumed=tuple(file.source.transaction for file in taken),
        rows_read=sum(file.rows for file in taken),
        repeats=sum(chunk.repeats for chunk in chunks),
        rows=sum(chunk.rows for chunk in chunks),
        through=through,
    )


def _new_files(
    workspace: Workspace, files: Sequence[SourceFile], through: date | None
) -> tuple[list[SourceFile], date | None]:
    """Return the files to take and the day to take them to.

    A night that died between its two commits is finished first: with its own files, up to its own day.
    """
    tables = contracts(workspace.use_case)
    unseen = Table(workspace.tables, tables["events"]).unseen(file.transaction for file in files)
    new = [file for file in files if file.transaction in unseen]
    quarantine = Table(workspace.tables, tables["quarantine"])
    untouched = quarantine.unseen(file.transaction for file in new)
    unfinished = [file for file in new if file.transaction not in untouched]
    if not unfinished:
        return new, through
    last_day = date.fromordinal(quarantine.mark("window") or date.max.toordinal())
    log.info("Finishing the night of %s first: %s files.", last_day, f"{len(unfinished):,}")
    return unfinished, last_day


def _window_end(workspace: Workspace) -> date | None:
    last_day = Table(workspace.tables, contracts(workspace.use_case)["events"]).mark("window")
    return None if last_day is None else date.fromordinal(last_day)


def _nothing(window_end: date | None) -> Staged:
    if window_end is None:
        raise ValueError("files were consumed, and table 'events' has no window")
    return Staged(uri="", through=window_end)


def _stage_files(
    client: Client, files: Sequence[SourceFile], folder: str, source: SourceConfig, contract: DataContract
) -> list[StagedFile]:
    futures = [
        client.submit(stage_file, file, _path(folder, f"files/{number:06}"), source, contract, pure=False)
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
        raise joined(sorted(errors, key=str))
    return list(client.gather(futures))


def _due(staged: Sequence[StagedFile], through: date) -> list[StagedFile]:
    taken, left = [], []
    for file in staged:
        middle = median_day(file.days)
        (taken if middle is None or middle <= through else left).append(file)
    if left:
        log.info("%s files are of days after %s, and left for a later night.", f"{len(left):,}", through)
    return taken


def _refuse_an_empty_day(taken: Sequence[StagedFile], staged: Sequence[StagedFile], through: date) -> None:
    if added(*(file.days for file in taken))[through]:
        return
    days = sorted(day for day in added(*(file.days for file in staged)) if day is not None)
    seen = f"they hold {days[0]} to {days[-1]}" if days else "no time in them can be read"
    raise EmptyDayError(
        f"no event on {through} in {len(taken):,} of {len(staged):,} new files; {seen}. {NOTHING_PUBLISHED} "
        "Wait for the files of that day, or leave `through` out."
    )


def _drop_repeats(client: Client, taken: Sequence[StagedFile], folder: str, contract: DataContract) -> list[Chunk]:
    staged = [file.path for file in taken if file.rows]
    slices = plan(added(*(file.days for file in taken)))
    futures = [
        client.submit(drop_repeats, staged, part, _path(folder, f"part-{number:05}"), staging(contract), pure=False)
        for number, part in enumerate(slices)
    ]
    chunks: list[Chunk] = client.gather(futures)
    _remove(posixpath.join(folder, "files"))
    return chunks


def _folder(workspace: Workspace, files: Sequence[SourceFile]) -> str:
    """Name the folder after what it takes: a night that runs again writes over what it left."""
    names = "\n".join(file.transaction for file in files)
    return posixpath.join(workspace.staging, hashlib.sha256(names.encode()).hexdigest()[:16])


def _path(folder: str, name: str) -> str:
    return posixpath.join(folder, f"{name}.parquet")


@contextmanager
def _removed_on_error(folder: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove(folder)
        raise


def _remove(folder: str) -> None:
    system, path = fsspec.url_to_fs(folder)
    if system.exists(path):
        system.rm(path, recursive=True)
