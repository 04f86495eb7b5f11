"""The staged rows of a night, checked on the workers, range of buckets by range: one report, and a page for people."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping
from functools import partial, reduce
from operator import add
from typing import NamedTuple

from distributed import Client

from data_contracts.buckets import Buckets, parted, weight_of
from data_contracts.contract import ContractError, Limits
from data_contracts.forgotten import Forgotten, forgotten_of
from data_contracts.night import Staged, Workspace
from data_contracts.promises import Inflow
from data_contracts.staged import StagedIndex, digest_of, read_index
from data_contracts.table import Table
from data_contracts.use_cases import IncomingTables, promises
from tasks.cluster import on_workers
from tasks.validate.broken import known_before, quarantined
from tasks.validate.config import ValidationConfig
from tasks.validate.judging import Judged, judge
from tasks.validate.page import page_uri, write_page
from tasks.validate.ranges import Order, Share, validate_share
from tasks.validate.remembered import mixes_before
from tasks.validate.report import NOTHING, Report
from tasks.validate.table_rules import TableRules
from tasks.validate.verdict import failed_rules

log = logging.getLogger(__name__)

ROWS_OF_A_SHARE = 1_000_000
"""Rows, about, that one task holds. One of much text counts as several."""
WORTH_A_SHARE = 100_000
"""Fewer are not parted for the sake of a worker that has nothing to do."""


class Checked(NamedTuple):
    """What a night's rows are.

    Attributes:
        report: What became of them.
        judged: What the rules about all of them together say; nothing where none was accepted.
        page: Address of the page that says both.
    """

    report: Report
    judged: list[Judged]
    page: str


def check_rows(
    workspace: Workspace,
    of: Inflow,
    tables: IncomingTables,
    staged: Staged,
    limits: Limits,
    config: ValidationConfig,
    cluster: str,
) -> Checked:
    """Check every staged row, write its part of the tables, and write the night's page.

    Args:
        workspace: Whose tables are written.
        of: What was staged.
        tables: For its rows.
        staged: What `stage_night` returned.
        limits: What the rules are measured against.
        config: What is done with late rows, and how many may be broken.
        cluster: Address of the Dask scheduler.

    Raises:
        ContractError: Staged files were changed, or a rule could not be computed.
    """
    truth, version = tables.kept, tables.kept.next_version()
    with Client(cluster, set_as_default=False) as client:
        index = _index(client, staged.uri)
        order = _order(workspace, of, staged, limits, truth, index, config.table_rules(of))
        todo = shares(index.weights(), ROWS_OF_A_SHARE, len(client.nthreads())) if index.rows else []
        ranged = on_workers(client, partial(validate_share, order=order), todo)
        report = reduce(add, (each.report for each in ranged), NOTHING)
        log.info(
            "%s exact repeats dropped, %s of them of rows in table %r.",
            f"{report.repeats:,}",
            f"{report.known:,}",
            truth.contract.name,
        )
        again = frozenset[str]().union(*(each.again for each in ranged))
        known = known_before(tables, staged.consumed, _prefix(version), again)
        broken = {uri: rows for each in ranged for uri, rows in each.broken.items()}
        report += quarantined(client, broken, order.name, known, tables.quarantine, drop_late=config.late == "drop")
        judged = _judged(report, config, of, truth)
        page, failed = page_uri(workspace, of, version), failed_rules(report, judged, config)
        if todo:
            whoever_did_before = min(client.nthreads())  # Great Expectations is seconds of imports
            client.submit(
                write_page,
                page,
                workspace.use_case,
                of,
                limits,
                report.counts,
                [shown for each in judged for shown in each.shown()],
                failed,
                config,
                pure=False,
                workers=[whoever_did_before],
                allow_other_workers=True,
            ).result()
    return Checked(report, judged, page)


def _judged(report: Report, config: ValidationConfig, of: Inflow, truth: Table) -> list[Judged]:
    """Return what the rules about all accepted rows together say."""
    rules = config.table_rules(of)
    if not report.days.total():
        if rules != TableRules():
            log.info("No new row of %r was accepted: rules about all of them say nothing.", truth.contract.name)
        return []
    before = mixes_before(truth, rules.drift)
    return judge(report.aggregates, rules, truth.contract, before, config.allowed)


def shares(weights: Mapping[Buckets, int], most: int, workers: int) -> list[Share]:
    """Part a night's rows into shares of about ``most`` each.

    Args:
        weights: Of the rows of each cell.
        most: Weight of a share, or of a piece of one where a single bucket weighs more.
        workers: That are there: each gets something, unless that would be little.
    """
    whole = sum(weights.values())
    ranges = parted(weights, most, min(workers, max(whole // WORTH_A_SHARE, 1)))
    pieces = (max(round(weight_of(each, weights) / most), 1) for each in ranges)
    return [Share(buckets=each, pieces=count) for each, count in zip(ranges, pieces, strict=True)]


def _index(client: Client, folder: str) -> StagedIndex:
    """Return what was staged, every file looked at by a worker.

    Raises:
        ContractError: A file is missing or changed.
    """
    index = read_index(folder)
    if index is None:
        raise ContractError(
            f"staged rows are gone: there is nothing whole in {folder}. Nothing was published. Start the night again: "
            "it stages the files anew."
        )
    digests = on_workers(client, partial(digest_of, folder), [part.name for part in index.parts])
    changed = [
        f"{part.name!r}: {'missing' if digest is None else f'sha256 is {digest[:12]}…, wanted {part.sha256[:12]}…'}"
        for part, digest in zip(index.parts, digests, strict=True)
        if digest != part.sha256
    ]
    if changed:
        listed = "\n  - ".join(changed)
        raise ContractError(
            f"staged rows were changed after `ingest` wrote them, in {folder}:\n  - {listed}\nNothing was published, "
            "and staging was cleared. Start the night again: it stages the files anew."
        )
    return index


def _order(
    workspace: Workspace,
    of: Inflow,
    staged: Staged,
    limits: Limits,
    truth: Table,
    index: StagedIndex,
    table_rules: TableRules,
) -> Order:
    days, there = {str(day): day for day in index.days()}, {day: list[str]() for day in index.days()}
    for file in truth.file_rows():
        if day := days.get(truth.partition_of(file)):
            there[day].append(file)
    return Order(
        folder=staged.uri,
        parts=index.first_rows,
        cells=index.cells,
        name=f"{_prefix(truth.next_version())}{posixpath.basename(staged.uri)}",
        tables=workspace.tables,
        use_case=workspace.use_case,
        of=of,
        limits=limits,
        there={day: files for day, files in there.items() if files},
        table_rules=table_rules,
        forgotten=forgotten_of(workspace.tables) if promises(workspace.use_case).subject else Forgotten(),
    )


def _prefix(version: int) -> str:
    """Return how the names of a night's files begin, by the version of the truth that it makes."""
    return f"night-{version:06}-"
