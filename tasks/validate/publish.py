"""Check what was staged against the truth's contract, and publish it: the broken rows first, then the others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from data_contracts.contract import ContractError, Limits
from data_contracts.days import day_of
from data_contracts.manifest import DamagedError, verify
from data_contracts.night import Staged, Validated, Window, Workspace
from data_contracts.staging import DAY, clear
from data_contracts.table import Table
from data_contracts.use_cases import truth_and_quarantine
from tasks.validate.chunk import NOTHING
from tasks.validate.chunks import check_chunks, was_begun
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import WindowError
from tasks.validate.page import page_uri
from tasks.validate.publication import COUNTS, Publication
from tasks.validate.verdict import refuse_late, refuse_over_budget, rows_by_day, weigh_volume
from tasks.validate.window import next_window


def validate_night(
    workspace: Workspace, staged: Staged, through: date | None, config: ValidationConfig, cluster: str
) -> Validated:
    """Publish the staged rows that keep the contract, put the others into quarantine, and open the next window.

    Every row that keeps the contract is published at once, whatever its day. A window is a span of days of what was
    published, tonight or before: it is opened once its last day is whole, also by a night without new files.

    Args:
        workspace: Whose tables are written.
        staged: What `stage_night` returned.
        through: Last day of the window; the newest whole day when omitted.
        config: What is accepted, when a day is whole, and when the night stops.
        cluster: Address of the Dask scheduler.

    Returns:
        The version of the truth that the newest window was opened with, and that window. What was published before
        stays as it is.

    Raises:
        ContractViolationError: Too many rows broke a rule or came too late, or the volume is unusual and the settings
            say to stop.
        ContractError: Staged files were changed, a rule could not be computed, or rows went missing.
        WindowError: No first window can be closed, or not the one asked for.
    """
    truth, quarantine = truth_and_quarantine(workspace)
    zone = workspace.day_zone
    today = day_of(datetime.now(UTC), zone)
    if not staged.uri:
        if truth.version() is None:
            raise ContractError(
                f"nothing new came in, and table {truth.contract.name!r} is empty. Nothing was published."
            )
        _publish(Publication(truth, quarantine, staged, NOTHING, today, zone), through, config, page="")
        return _published(truth)
    if truth.unseen(staged.consumed):
        try:
            _refuse_changed_files(staged)
            begun = quarantine.mark(DAY) if was_begun(quarantine, truth, staged) else None
            limits = _limits(config, truth, latest=date.fromordinal(begun) if begun else today, day_zone=zone)
            report, page = check_chunks(workspace, staged, limits, config, cluster)
            _publish(Publication(truth, quarantine, staged, report, limits.latest, zone), through, config, page=page)
        except (ContractError, WindowError):
            clear(staged.uri)
            raise
    clear(staged.uri)
    return _published(
        truth, page=page_uri(workspace, truth.next_version() - 1) if staged.rows_read > staged.left_out else ""
    )


def _published(truth: Table, *, page: str = "") -> Validated:
    """Say what the newest commit published, and which window is the newest: the commits remember both."""
    marks = {name: truth.mark(name) or 0 for name in ("window", "window_first", *COUNTS)}
    first_day, last_day = date.fromordinal(marks.pop("window_first")), date.fromordinal(marks.pop("window"))
    return Validated(
        truth=truth.mark("published") or 0,
        window=Window(first_day=first_day, last_day=last_day),
        docs_uri=page,
        **marks,
    )


def _refuse_changed_files(staged: Staged) -> None:
    folder = Path(staged.uri)
    if not folder.exists():
        raise ContractError(
            f"staged rows are gone: there is no {folder}. Nothing was published. Start the night again: it stages the "
            "files anew."
        )
    try:
        verify(folder)
    except DamagedError as error:
        raise ContractError(
            f"staged rows were changed after `ingest` wrote them: {error} Nothing was published, and staging was "
            "cleared. Start the night again: it stages the files anew."
        ) from error


def _limits(config: ValidationConfig, truth: Table, *, latest: date, day_zone: str) -> Limits:
    """Measure lateness from the day after the newest window; on empty tables nothing is late."""
    end = truth.mark("window")
    late = timedelta(days=config.late_days - 1)
    return Limits(
        first_day=config.first_day,
        earliest=config.first_day if end is None else max(config.first_day, date.fromordinal(end) - late),
        latest=latest,
        allowed=config.allowed,
        max_id_bytes=config.max_id_bytes,
        day_zone=day_zone,
    )


def _publish(night: Publication, through: date | None, config: ValidationConfig, *, page: str) -> None:
    """Commit what is new, and leave no file that no commit made visible."""
    try:
        counts = night.counts()
        unread = night.staged.unread_time
        refuse_over_budget(night.report, budget=config.max_quarantined, what=night.what, page=page, unread_time=unread)
        refuse_late(night.report, config, night.what)
        days = rows_by_day(night.truth) + night.report.days
        now = datetime.now(ZoneInfo(night.day_zone))
        window = next_window(days, end=night.end, asked=through, config=config, now=now)
        if window is not None:
            weigh_volume(days, window, config, windows=night.truth.mark("windows") or 0)
        night.commit(window, counts)
    finally:
        night.discard()
