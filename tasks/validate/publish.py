"""Check what was staged against contract `events`, and publish it: the broken rows first, then the events."""

from __future__ import annotations

import logging
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce
from operator import add

import fsspec
from distributed import Client

from data_contracts.check import RuleCounts
from data_contracts.contract import ContractError, ContractViolationError, Limits
from data_contracts.night import Staged, Validated, Window, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.validate.chunk import ChunkReport, validate_chunk
from tasks.validate.config import ValidationConfig
from tasks.validate.page import page_uri, write_page
from tasks.validate.verdict import WINDOWS_BEFORE_STOPPING, refuse_over_budget, unusual_volume

log = logging.getLogger(__name__)

DAYS_COMPARED = 28
_DAY = re.compile(r"day=(\d{4}-\d{2}-\d{2})/")


def validate_night(workspace: Workspace, staged: Staged, config: ValidationConfig, cluster: str) -> Validated:
    """Publish the staged rows that keep the contract, and put the others into quarantine.

    Args:
        workspace: Whose tables are written.
        staged: What `stage_night` returned.
        config: What is accepted, and when the night stops.
        cluster: Address of the Dask scheduler.

    Returns:
        The version of table `events`, and its newest window. Nothing is done for what was published before.

    Raises:
        ContractViolationError: Too many rows broke a rule, or the volume is unusual and the settings say to stop.
        ContractError: A rule could not be computed, or rows went missing.
    """
    events, quarantine = _tables(workspace)
    if not staged.uri:
        return _published(events, page="")
    page = page_uri(workspace, staged.through)
    if events.unseen(staged.consumed):
        limits = _limits(config, events, staged.through)
        with Client(cluster, set_as_default=False) as client:
            reports = _check(client, workspace, staged, limits)
            client.submit(write_page, page, workspace.use_case, limits, _merged(reports), pure=False).result()
        try:
            window = _judge(reports, events, staged, config, page)
        except ContractError:
            quarantine.discard(part for report in reports for part in report.quarantined)
            events.discard(part for report in reports for part in report.accepted)
            _remove(staged.uri)
            raise
        _commit(reports, events, quarantine, staged, window)
    _remove(staged.uri)
    return _published(events, page=page)


def _tables(workspace: Workspace) -> tuple[Table, Table]:
    own = contracts(workspace.use_case)
    return Table(workspace.tables, own["events"]), Table(workspace.tables, own["quarantine"])


def _published(events: Table, *, page: str) -> Validated:
    """Say what the newest commit published; it remembers that by itself, so a night that runs again says the same."""
    version = events.version()
    marks = {name: events.mark(name) for name in ("window", "window_first", "accepted", "quarantined")}
    return Validated(
        events=version,
        accepted=marks["accepted"],
        quarantined=marks["quarantined"],
        window=Window(first_day=date.fromordinal(marks["window_first"]), last_day=date.fromordinal(marks["window"])),
        docs_uri=page,
    )


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


def _check(client: Client, workspace: Workspace, staged: Staged, limits: Limits) -> list[ChunkReport]:
    system, folder = fsspec.url_to_fs(staged.uri)
    chunks = sorted(system.glob(posixpath.join(folder, "*.parquet")))
    night = posixpath.basename(staged.uri)
    futures = [
        client.submit(
            validate_chunk,
            system.unstrip_protocol(chunk),
            f"{night}-{number:05}",
            workspace.tables,
            workspace.use_case,
            limits,
            pure=False,
        )
        for number, chunk in enumerate(chunks)
    ]
    reports: list[ChunkReport] = client.gather(futures)
    return reports


def _merged(reports: Sequence[ChunkReport]) -> list[RuleCounts]:
    return [reduce(add, counts) for counts in zip(*(report.counts for report in reports), strict=True)]


def _judge(
    reports: Sequence[ChunkReport], events: Table, staged: Staged, config: ValidationConfig, page: str
) -> Window:
    """Return the night's window, or refuse the night."""
    broken: Counter[str] = sum((report.broken for report in reports), Counter())
    rows = sum(report.rows for report in reports)
    if rows != staged.rows or rows + staged.repeats != staged.rows_read:
        raise ContractError(
            f"{staged.uri}: {rows:,} rows checked and {staged.repeats:,} repeats dropped, of {staged.rows_read:,} read "
            f"and {staged.rows:,} staged. Nothing was published. Start the night again."
        )
    examples = {rule: example for report in reversed(reports) for rule, example in report.examples.items()}
    what = f"{events.contract.name!r} {staged.through}"
    refuse_over_budget(broken, examples, rows=rows, budget=config.max_quarantined, what=what, page=page)
    end = events.mark("window")
    window = Window(
        first_day=min(report.first_day for report in reports if report.first_day)
        if end is None
        else date.fromordinal(end + 1),
        last_day=staged.through,
    )
    accepted = rows - broken.total()
    log.info("%s: %s rows accepted, %s to quarantine.", window, f"{accepted:,}", f"{broken.total():,}")
    _look_at_volume(accepted, window, events, config)
    return window


def _look_at_volume(accepted: int, window: Window, events: Table, config: ValidationConfig) -> None:
    days = (window.last_day - window.first_day).days + 1
    before: Counter[str] = Counter()
    for file, rows in events.file_rows().items():
        before[_DAY.findall(file)[-1]] += rows
    recent = [
        rows
        for day, rows in before.items()
        if window.first_day - timedelta(days=DAYS_COMPARED) <= date.fromisoformat(day) < window.first_day
    ]
    unusual = unusual_volume(accepted / days, recent, change=config.volume_change)
    if not unusual:
        return
    if config.stop_on_volume and (events.mark("windows") or 0) >= WINDOWS_BEFORE_STOPPING:
        raise ContractViolationError(
            f"{events.contract.name!r} {window}: {unusual}. Nothing was published. "
            "Look for missing files, or set validation.stop_on_volume to false."
        )
    log.warning("%s: %s.", window, unusual)


def _commit(reports: Sequence[ChunkReport], events: Table, quarantine: Table, staged: Staged, window: Window) -> None:
    broken = sum(report.broken.total() for report in reports)
    quarantine.commit(
        (part for report in reports for part in report.quarantined),
        staged.consumed,
        marks={"window": window.last_day.toordinal()},
    )
    events.commit(
        (part for report in reports for part in report.accepted),
        staged.consumed,
        marks={
            "window": window.last_day.toordinal(),
            "window_first": window.first_day.toordinal(),
            "windows": (events.mark("windows") or 0) + 1,
            "accepted": staged.rows - broken,
            "quarantined": broken,
        },
    )


def _remove(folder: str) -> None:
    system, path = fsspec.url_to_fs(folder)
    if system.exists(path):
        system.rm(path, recursive=True)
