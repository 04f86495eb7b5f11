"""Take the source files not seen before, up to a day, as typed rows without repeats."""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

from distributed import Client, as_completed

from data_contracts.commit_point import commit_point
from data_contracts.contract import DataContract
from data_contracts.night import Staged, Workspace
from data_contracts.staging import clear, staging
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.ingest.config import SourceConfig
from tasks.ingest.days import added, median_day, newest_complete_day, span
from tasks.ingest.errors import NOTHING_PUBLISHED, EmptyDayError, IngestError, NoCompleteDayError, joined
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
    window_end = _window_end(workspace)
    new, through = _new_files(workspace, files, through)
    log.info("%s of %s files at %s are new.", f"{len(new):,}", f"{len(files):,}", source.uri)
    if not new and window_end is not None:
        return Staged(uri="", through=window_end)
    folder = _folder(workspace, new)
    with Client(cluster, set_as_default=False) as client, _own(folder):
        staged = _stage_files(client, new, folder, source, contract)
        asked, through = through, through or _last_day(staged, window_end)
        taken = _due(staged, through)
        if window_end is not None and (through <= window_end or not (taken or asked)):
            log.info("No day after %s, on which the tables end, can be closed yet. The new files wait.", window_end)
            clear(folder)
            return Staged(uri="", through=window_end)
        _refuse_an_empty_day(taken, staged, through)
        with commit_point("staging"):
            chunks = _drop_repeats(client, taken, folder, contract)
    rows, repeats = sum(chunk.rows for chunk in chunks), sum(chunk.repeats for chunk in chunks)
    log.info("%s rows staged up to %s, %s exact repeats dropped.", f"{rows:,}", through, f"{repeats:,}")
    return Staged(
        uri=folder,
        consumed=tuple(file.source.transaction for file in taken),
        rows_read=sum(file.rows for file in taken),
        repeats=repeats,
        rows=rows,
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


def _last_day(staged: Sequence[StagedFile], window_end: date | None) -> date:
    days, today = added(*(file.days for file in staged)), datetime.now(UTC).date()
    last_day = newest_complete_day(days, today=today)
    if last_day is None and any(days):
        last_day = window_end
    if last_day is None:
        raise NoCompleteDayError(
            f"no complete day before today, {today} UTC, in {len(staged):,} new files; {span(days)}. "
            f"{NOTHING_PUBLISHED} Wait for the day to end, or see source.columns and source.time_unit."
        )
    return last_day


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
    taken: list[StagedFile] = []
    left: list[StagedFile] = []
    for file in staged:
        middle = median_day(file.days)
        (taken if middle is None or middle <= through else left).append(file)
    if left:
        log.info("%s files are of days after %s, and left for a later night.", f"{len(left):,}", through)
    return taken


def _refuse_an_empty_day(taken: Sequence[StagedFile], staged: Sequence[StagedFile], through: date) -> None:
    if added(*(file.days for file in taken))[through]:
        return
    days = added(*(file.days for file in staged))
    raise EmptyDayError(
        f"no event on {through} in the {len(taken):,} files due, of {len(staged):,} new ones; {span(days)}. "
        f"{NOTHING_PUBLISHED} "
        "Wait for the files of that day, or leave `through` out."
    )


def _drop_repeats(client: Client, taken: Sequence[StagedFile], folder: str, contract: DataContract) -> list[Chunk]:
    futures = [
        client.submit(
            drop_repeats,
            [file.path for file in taken if part.touches(file.days)],
            part,
            _path(folder, f"part-{number:05}"),
            staging(contract),
            pure=False,
        )
        for number, part in enumerate(plan(added(*(file.days for file in taken))))
    ]
    chunks: list[Chunk] = client.gather(futures)
    clear(posixpath.join(folder, "files"))
    return chunks


def _folder(workspace: Workspace, files: Sequence[SourceFile]) -> str:
    """Name the folder after what it takes: a night that runs again finds what it left."""
    names = "\n".join(file.transaction for file in files)
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
