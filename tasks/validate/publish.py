"""Check what was staged against contract `events`, and publish it: the broken rows first, then the events."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from pathlib import Path

from data_contracts.contract import ContractError, Limits
from data_contracts.manifest import DamagedError, verify
from data_contracts.night import Staged, Validated, Window, Workspace
from data_contracts.staging import COLUMNS, clear
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.validate.chunk import Report
from tasks.validate.chunks import check_chunks, was_begun
from tasks.validate.config import ValidationConfig
from tasks.validate.page import page_uri
from tasks.validate.verdict import refuse_lost_rows, refuse_over_budget, weigh_volume

log = logging.getLogger(__name__)

_TABLES = ("events", "quarantine")


def validate_night(workspace: Workspace, staged: Staged, config: ValidationConfig, cluster: str) -> Validated:
    """Publish the staged rows that keep the contract, and put the others into quarantine.

    Files with nothing but repeats are remembered, and open no window. New rows wait where no day can be closed.

    Args:
        workspace: Whose tables are written.
        staged: What `stage_night` returned.
        config: What is accepted, and when the night stops.
        cluster: Address of the Dask scheduler.

    Returns:
        The version of table `events`, and its newest window. Nothing is done for what was published before.

    Raises:
        ContractViolationError: Too many rows broke a rule, or the volume is unusual and the settings say to stop.
        ContractError: Staged files were changed, a rule could not be computed, or rows went missing.
    """
    events, quarantine = (Table(workspace.tables, contracts(workspace.use_case)[name]) for name in _TABLES)
    if not staged.uri:
        return _published(events, page="")
    page = page_uri(workspace, staged.through)
    if events.unseen(staged.consumed):
        try:
            _refuse_changed_files(staged)
            limits = _limits(config, events, staged.through)
            report = check_chunks(workspace, staged, limits, _opens(events, staged), cluster)
            _publish(report, staged, config, events, quarantine, page)
        except ContractError:
            clear(staged.uri)
            raise
    clear(staged.uri)
    return _published(events, page=page)


def _published(events: Table, *, page: str) -> Validated:
    """Say what the newest window's commit published; it remembers that, so a night that runs again says the same."""
    version = events.version()
    if version is None:
        raise ContractError("nothing new came in, and table 'events' is empty. Nothing was published.")
    names = ("window", "window_first", "rows_read", "accepted", "quarantined", "repeats")
    marks = {name: events.mark(name) or 0 for name in names}
    first_day, last_day = date.fromordinal(marks.pop("window_first")), date.fromordinal(marks.pop("window"))
    return Validated(
        events=events.mark("published") or 0,
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


def _limits(config: ValidationConfig, events: Table, through: date) -> Limits:
    """Measure lateness from the window's first day; on empty tables nothing is late."""
    end = events.mark("window")
    late = timedelta(days=config.late_days - 1)
    return Limits(
        first_day=config.first_day,
        earliest=config.first_day if end is None else max(config.first_day, date.fromordinal(end) - late),
        through=through,
        kinds=config.kinds,
        max_id_bytes=config.max_id_bytes,
    )


def _opens(events: Table, staged: Staged) -> date | None:
    """Return the last day of the window that a night opens; None when the tables end there already."""
    end = events.mark("window")
    return staged.through if end is None or staged.through.toordinal() > end else None


def _publish(
    report: Report, staged: Staged, config: ValidationConfig, events: Table, quarantine: Table, page: str
) -> None:
    """Commit what is new, and leave no file that no commit made visible."""
    what = f"{events.contract.name!r} {staged.through}"
    try:
        counts = _counts(report, staged, what)
        if events.version() is not None and counts["repeats"] == counts["rows_read"]:
            log.info("%s: nothing but repeats came. No window is opened, and the champion stays.", what)
            events.commit([], staged.consumed, marks={"published": _published(events, page="").events})
        elif _opens(events, staged):
            refuse_over_budget(
                report.broken,
                report.examples,
                rows=counts["accepted"] + report.broken.total(),
                budget=config.max_quarantined,
                what=what,
                page=page,
            )
            if early := counts["quarantined"] - report.broken.total():
                log.info("%s: %s rows are of days after it, and accepted once their log is whole.", what, f"{early:,}")
            window = _window(report, events, staged)
            weigh_volume(counts["accepted"], window, events, config)
            _commit(report, window, counts, staged, events, quarantine)
        else:
            new = counts["rows_read"] - counts["repeats"]
            log.info("%s: %s rows are new, and wait for the next window: this one is closed.", what, f"{new:,}")
    finally:
        quarantine.discard(report.quarantined)
        events.discard(report.accepted)


def _counts(report: Report, staged: Staged, what: str) -> dict[str, int]:
    """Count what became of the rows read, in the very files that are committed, and see that none is missing."""
    accepted, quarantined = (sum(part.rows for part in parts) for parts in (report.accepted, report.quarantined))
    quarantined += report.begun
    counts = {"accepted": accepted, "quarantined": quarantined, "repeats": staged.repeats + report.repeats}
    refuse_lost_rows(staged.rows_read, **counts, what=what)
    return {"rows_read": staged.rows_read, **counts}


def _window(report: Report, events: Table, staged: Staged) -> Window:
    end = events.mark("window")
    first_day = report.first_day if end is None else date.fromordinal(end + 1)
    assert first_day is not None
    return Window(first_day=first_day, last_day=staged.through)


def _commit(
    report: Report, window: Window, counts: dict[str, int], staged: Staged, events: Table, quarantine: Table
) -> None:
    last_day, version = window.last_day.toordinal(), events.version()
    if report.quarantined or not was_begun(quarantine, staged):
        quarantine.commit(report.quarantined, sorted(quarantine.unseen(staged.consumed)), marks={"window": last_day})
    marks = {
        "window": last_day,
        "window_first": window.first_day.toordinal(),
        "windows": (events.mark("windows") or 0) + 1,
        "published": 0 if version is None else version + 1,
        **counts,
    }
    events.commit(report.accepted, staged.consumed, marks=marks, notes={COLUMNS: json.dumps(staged.columns)})
