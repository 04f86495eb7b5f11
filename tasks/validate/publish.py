"""Check what was staged against its contract, and publish it: the broken rows first, then the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from data_contracts.contract import ContractError, Limits
from data_contracts.days import day_of
from data_contracts.night import Staged, Validated, Window, Workspace
from data_contracts.promises import Inflow
from data_contracts.staging import DAY, clear
from data_contracts.table import Table
from data_contracts.use_cases import IncomingTables, incoming_tables, promises
from tasks.validate.checked import check_rows
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import WindowError
from tasks.validate.judging import Judged
from tasks.validate.page import page_uri
from tasks.validate.publication import COUNTS, Publication, Seen
from tasks.validate.report import NOTHING
from tasks.validate.verdict import refuse_late, refuse_over_budget, refuse_unusual, rows_by_day, weigh_volume
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
        ContractViolationError: Too many rows broke a rule or came too late, or all of them together are not what the
            settings want them to be.
        ContractError: Staged files were changed, a rule could not be computed, or rows went missing.
        WindowError: No first window can be closed, or not the one asked for.
    """
    tables = incoming_tables(workspace)
    truth = tables.kept
    if not staged.uri and truth.version() is None:
        raise ContractError(f"nothing new came in, and table {truth.contract.name!r} is empty. Nothing was published.")
    return _published(truth, _take(workspace, "source", tables, staged, through, config, cluster))


def validate_labels(workspace: Workspace, staged: Staged, config: ValidationConfig, cluster: str) -> Seen:
    """Publish the staged labels that keep their contract, and put the others into quarantine.

    They open no window: the truth does, and remembers which labels there were by then.

    Args:
        workspace: Whose tables are written.
        staged: What `stage_night` returned of them.
        config: What is accepted, and when the night stops.
        cluster: Address of the Dask scheduler.

    Raises:
        ContractError: See `validate_night`.
    """
    tables = incoming_tables(workspace, "labels")
    return _take(workspace, "labels", tables, staged, None, config, cluster) if staged.uri else Seen()


def _take(
    workspace: Workspace,
    of: Inflow,
    tables: IncomingTables,
    staged: Staged,
    through: date | None,
    config: ValidationConfig,
    cluster: str,
) -> Seen:
    """Check and publish what was staged, if that is still to be done.

    Raises:
        ContractError: See `validate_night`.
    """
    table, quarantine, files = tables
    zone = workspace.day_zone
    today = day_of(datetime.now(UTC), zone)
    night = Publication(of, tables, staged, NOTHING, today, zone, _labels(workspace, of))
    if not staged.uri:
        _publish(night, (), through, config, page="")
        return Seen()
    of_table: tuple[str, ...] = ()
    if unseen := files.unseen(staged.consumed):
        try:
            _refuse_mixed(unseen, staged, table)
            begun = quarantine.mark(DAY) if files.were_begun(staged.consumed) else None
            latest = date.fromordinal(begun) if begun else night.today
            limits = _limits(config, table, latest=latest, day_zone=zone, labels_come=night.labels is not None)
            report, judged, page = check_rows(workspace, of, tables, staged, limits, config, cluster)
            _publish(replace(night, report=report, today=limits.latest), judged, through, config, page=page)
            of_table = tuple(f"{each.said}{' (BROKEN)' if each.broken else ''}" for each in judged)
        except (ContractError, WindowError):
            clear(staged.uri)
            raise
    clear(staged.uri)
    page = page_uri(workspace, of, table.next_version() - 1) if staged.rows_read > staged.left_out else ""
    return Seen(page, of_table)


def _refuse_mixed(unseen: Collection[str], staged: Staged, table: Table) -> None:
    """Stop when another night took some of the files that were staged, and not all.

    Raises:
        ContractError: One did.
    """
    if len(unseen) < len(staged.consumed):
        taken = sorted({*staged.consumed} - {*unseen})
        raise ContractError(
            f"table {table.contract.name!r}: {len(taken):,} of {len(staged.consumed):,} source files were taken "
            f"before, e.g. {taken[0]!r}. Nothing was published. Start the night again: it takes only what is new."
        )


def _labels(workspace: Workspace, of: Inflow) -> int | None:
    """Return the version of the labels that a night of the truth goes by; None where there are none."""
    has_labels = of == "source" and promises(workspace.use_case).labels is not None
    return incoming_tables(workspace, "labels").kept.version() if has_labels else None


def _published(truth: Table, seen: Seen) -> Validated:
    """Say what the newest commit published, and which window is the newest: the commits remember both."""
    marks = {name: truth.mark(name) or 0 for name in ("window", "window_first", *COUNTS)}
    first_day, last_day = date.fromordinal(marks.pop("window_first")), date.fromordinal(marks.pop("window"))
    return Validated(
        truth=truth.mark("published") or 0,
        window=Window(first_day=first_day, last_day=last_day),
        docs_uri=seen.page,
        of_table=seen.of_table,
        **marks,
    )


def _limits(config: ValidationConfig, truth: Table, *, latest: date, day_zone: str, labels_come: bool) -> Limits:
    """Measure lateness from the day after the newest window; on empty tables nothing is late."""
    end = truth.mark("window")
    late = timedelta(days=config.late_days - 1)
    return Limits(
        first_day=config.first_day,
        earliest=config.first_day if end is None else max(config.first_day, date.fromordinal(end) - late),
        latest=latest,
        allowed={name: values for name, values in config.allowed.items() if name in truth.contract.schema.names},
        max_id_bytes=config.max_id_bytes,
        day_zone=day_zone,
        labels_come=labels_come,
    )


def _publish(
    night: Publication, judged: Sequence[Judged], through: date | None, config: ValidationConfig, *, page: str
) -> None:
    """Commit what is new, and leave no file that no commit made visible."""
    try:
        counts = night.counts()
        refuse_over_budget(
            night.report,
            of=night.of,
            budget=config.max_quarantined,
            what=night.what,
            page=page,
            unread_time=night.staged.unread_time,
        )
        refuse_late(night.report, config, night.what)
        window, volume = _open(night, through, config) if night.of == "source" else (None, [])
        refuse_unusual([*volume, *judged], config, of=night.of, rows=counts["accepted"], what=night.what, page=page)
        night.commit(window, counts)
    finally:
        night.discard()


def _open(night: Publication, through: date | None, config: ValidationConfig) -> tuple[Window | None, list[Judged]]:
    """Return the window that tonight's rows make whole, if any, and what is unusual about its volume."""
    days = rows_by_day(night.tables.kept) + night.report.days
    now = datetime.now(ZoneInfo(night.day_zone))
    window = next_window(days, end=night.end, asked=through, config=config, now=now)
    if window is None:
        return None, []
    windows = night.tables.kept.mark("windows") or 0
    return window, weigh_volume(days, window, change=config.volume_change, windows=windows)
