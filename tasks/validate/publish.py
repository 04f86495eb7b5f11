"""Check what was staged against contract `events`, and publish it: the broken rows first, then the events."""

from __future__ import annotations

import logging
import posixpath
from datetime import date, timedelta
from functools import reduce
from operator import add

import fsspec
from distributed import Client

from data_contracts.contract import ContractError, Limits
from data_contracts.night import Staged, Validated, Window, Workspace
from data_contracts.staging import clear
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.validate.chunk import Report, validate_chunk
from tasks.validate.config import ValidationConfig
from tasks.validate.page import page_uri, write_page
from tasks.validate.verdict import refuse_lost_rows, refuse_over_budget, weigh_volume

log = logging.getLogger(__name__)

_TABLES = ("events", "quarantine")


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
    events, quarantine = (Table(workspace.tables, contracts(workspace.use_case)[name]) for name in _TABLES)
    if not staged.uri:
        return _published(events, page="")
    page = page_uri(workspace, staged.through)
    if events.unseen(staged.consumed):
        report = _check(workspace, staged, _limits(config, events, staged.through), cluster)
        try:
            window = _judge(report, events, staged, config, page)
        except ContractError:
            quarantine.discard(report.quarantined)
            events.discard(report.accepted)
            clear(staged.uri)
            raise
        _commit(report, window, staged, events, quarantine)
    clear(staged.uri)
    return _published(events, page=page)


def _published(events: Table, *, page: str) -> Validated:
    """Say what the newest commit published; it remembers that by itself, so a night that runs again says the same."""
    version = events.version()
    if version is None:
        raise ContractError("nothing new came in, and table 'events' is empty. Nothing was published.")
    marks = {name: events.mark(name) or 0 for name in ("window", "window_first", "accepted", "quarantined")}
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


def _check(workspace: Workspace, staged: Staged, limits: Limits, cluster: str) -> Report:
    """Check every chunk on the workers, and write the page of all of them together."""
    system, folder = fsspec.url_to_fs(staged.uri)
    night = posixpath.basename(staged.uri)
    own = workspace.use_case
    with Client(cluster, set_as_default=False) as client:
        futures = [
            client.submit(
                validate_chunk,
                system.unstrip_protocol(chunk),
                f"{night}-{number:05}",
                workspace.tables,
                own,
                limits,
                pure=False,
            )
            for number, chunk in enumerate(sorted(system.glob(posixpath.join(folder, "*.parquet"))))
        ]
        report: Report = reduce(add, client.gather(futures))
        client.submit(write_page, page_uri(workspace, limits.through), own, limits, report.counts, pure=False).result()
    return report


def _judge(report: Report, events: Table, staged: Staged, config: ValidationConfig, page: str) -> Window:
    """Return the night's window, or refuse the night."""
    what = f"{events.contract.name!r} {staged.through}"
    refuse_lost_rows(report.rows, staged, what=what)
    refuse_over_budget(
        report.broken, report.examples, rows=report.rows, budget=config.max_quarantined, what=what, page=page
    )
    end = events.mark("window")
    first_day = report.first_day if end is None else date.fromordinal(end + 1)
    assert first_day is not None
    window = Window(first_day=first_day, last_day=staged.through)
    accepted = report.rows - report.broken.total()
    log.info("%s: %s rows accepted, %s to quarantine.", window, f"{accepted:,}", f"{report.broken.total():,}")
    weigh_volume(accepted, window, events, config)
    return window


def _commit(report: Report, window: Window, staged: Staged, events: Table, quarantine: Table) -> None:
    broken = report.broken.total()
    last_day = window.last_day.toordinal()
    quarantine.commit(report.quarantined, staged.consumed, marks={"window": last_day})
    marks = {
        "window": last_day,
        "window_first": window.first_day.toordinal(),
        "windows": (events.mark("windows") or 0) + 1,
        "accepted": report.rows - broken,
        "quarantined": broken,
    }
    events.commit(report.accepted, staged.consumed, marks=marks)
