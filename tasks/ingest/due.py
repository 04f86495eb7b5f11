"""Which of the source's files a night takes, and up to which day."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime

from data_contracts.night import Workspace
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.ingest.days import added, median_day, newest_complete_day, span
from tasks.ingest.errors import NOTHING_PUBLISHED, EmptyDayError, NoCompleteDayError
from tasks.ingest.files import StagedFile
from tasks.ingest.sources import SourceFile

log = logging.getLogger(__name__)

_NAMED = 5


def window_end(workspace: Workspace) -> date | None:
    """Return the last day of the newest window; None while there is none."""
    last_day = Table(workspace.tables, contracts(workspace.use_case)["events"]).mark("window")
    return None if last_day is None else date.fromordinal(last_day)


def new_files(
    workspace: Workspace, files: Sequence[SourceFile], end: date | None
) -> tuple[list[SourceFile], date | None]:
    """Return the files that no night consumed; of a night that died between its commits only its own, and its last day.

    Args:
        workspace: Whose tables say what was consumed.
        files: Those that the source has.
        end: Last day of the newest window, if there is one.
    """
    tables = contracts(workspace.use_case)
    unseen = Table(workspace.tables, tables["events"]).unseen(file.transaction for file in files)
    new = [file for file in files if file.transaction in unseen]
    quarantine = Table(workspace.tables, tables["quarantine"])
    untouched = quarantine.unseen(file.transaction for file in new)
    begun = [file for file in new if file.transaction not in untouched]
    last_day = date.fromordinal(quarantine.mark("window") or date.min.toordinal())
    if not begun or (end is not None and last_day <= end):
        return new, None
    log.info("Finishing the night of %s first: %s files.", last_day, f"{len(begun):,}")
    return begun, last_day


def due(
    staged: Sequence[StagedFile], *, asked: date | None, begun: date | None, end: date | None
) -> tuple[list[StagedFile], date]:
    """Return the files to take, and the last day to take; a file is of the day of its median event.

    Where no window can be closed that day is ``end``: `validate` sees whether the files hold anything but repeats.

    Args:
        staged: Every new file.
        asked: Last day to take; the newest complete day when None.
        begun: Last day of a night that died between its commits. It takes all of its files that are still there.
        end: Last day of the newest window, if there is one.

    Raises:
        NoCompleteDayError: The tables are empty, and no day is over and full enough.
        EmptyDayError: No event happened on the day asked for, or on the first one that can be closed.
    """
    if begun:
        return list(staged), begun
    last_day = asked or _last_day(staged, end)
    taken, left = _parted(last_day, staged)
    is_empty = not added(*(file.days for file in taken))[last_day]
    if end is not None and (last_day <= end or (is_empty and asked is None)):
        log.info("No day after %s, on which the tables end, can be closed yet.", end)
        last_day = end
        taken, left = _parted(last_day, staged)
    elif is_empty:
        raise _empty_day(taken, staged, last_day, asked)
    _say_what_waits(left, last_day)
    return taken, last_day


def _last_day(staged: Sequence[StagedFile], end: date | None) -> date:
    days, today = added(*(file.days for file in staged)), datetime.now(UTC).date()
    last_day = newest_complete_day(days, today=today) or end
    if last_day is None:
        raise NoCompleteDayError(
            f"no complete day before today, {today} UTC by this machine's clock, in {len(staged):,} new files; "
            f"{span(days)}{_unread(staged)}. {NOTHING_PUBLISHED} Wait for the day to end, or see the clock and "
            "source.columns."
        )
    return last_day


def _parted(last_day: date, staged: Sequence[StagedFile]) -> tuple[list[StagedFile], list[StagedFile]]:
    """Return the files up to a day, those without any time among them, and the later ones."""
    taken, left = list[StagedFile](), list[StagedFile]()
    for file in staged:
        (left if (median_day(file.days) or last_day) > last_day else taken).append(file)
    return taken, left


def _say_what_waits(left: Sequence[StagedFile], last_day: date) -> None:
    """Name files of days to come: of tomorrow, or of a clock that is wrong, the source's or this machine's."""
    if not left:
        return
    named = "; ".join(f"{file.source.name}: {span(file.days)}" for file in left[:_NAMED])
    log.info(
        "%s files are of days after %s, and left for a later night (today is %s UTC by this machine's clock): %s%s.",
        f"{len(left):,}",
        last_day,
        datetime.now(UTC).date(),
        named,
        "; ..." if len(left) > _NAMED else "",
    )


def _empty_day(
    taken: Sequence[StagedFile], staged: Sequence[StagedFile], last_day: date, asked: date | None
) -> EmptyDayError:
    days = added(*(file.days for file in staged))
    or_else = ", or leave `through` out" if asked else ""
    return EmptyDayError(
        f"no event on {last_day} in the {len(taken):,} files due, of {len(staged):,} new ones; {span(days)}"
        f"{_unread(staged)}. {NOTHING_PUBLISHED} Wait for the files of that day{or_else}."
    )


def _unread(staged: Sequence[StagedFile]) -> str:
    """Show a time that cannot be read, if there is any."""
    return next((f"; {file.source.name} has {file.unread_time}" for file in staged if file.unread_time), "")
