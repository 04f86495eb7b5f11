"""Every chunk of a night, checked on the workers: one report."""

from __future__ import annotations

import posixpath
from datetime import UTC, date, datetime
from functools import reduce
from operator import add

import fsspec
from distributed import Client

from data_contracts.contract import Limits
from data_contracts.night import Staged, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import contracts
from tasks.validate.chunk import NOTHING, Known, Report, validate_chunk
from tasks.validate.page import page_uri, write_page


def check_chunks(workspace: Workspace, staged: Staged, limits: Limits, opens: date | None, cluster: str) -> Report:
    """Check every staged chunk, write its parts of the tables, and write the window's page.

    Args:
        workspace: Whose tables are written.
        staged: What `stage_night` returned.
        limits: What the rules are measured against.
        opens: Last day of the window that the night opens; None when no day can be closed.
        cluster: Address of the Dask scheduler.

    Raises:
        ContractError: A rule could not be computed.
    """
    system, folder = fsspec.url_to_fs(staged.uri)
    chunks = sorted(system.glob(posixpath.join(folder, "*.parquet")))
    quarantine = Table(workspace.tables, contracts(workspace.use_case)["quarantine"])
    known = _known(quarantine, staged)
    name = posixpath.basename(staged.uri)
    if known.tonight:
        name = f"{name}-again-{quarantine.version()}"  # what a commit made visible stays as it is
    own, today = workspace.use_case, datetime.now(UTC).date()
    with Client(cluster, set_as_default=False) as client:
        futures = [
            client.submit(
                validate_chunk,
                system.unstrip_protocol(chunk),
                f"{name}-{number:05}",
                known,
                workspace.tables,
                own,
                limits,
                today,
                pure=False,
            )
            for number, chunk in enumerate(chunks)
        ]
        report: Report = reduce(add, client.gather(futures) or [NOTHING])
        if opens and chunks:
            page = page_uri(workspace, opens)
            client.submit(write_page, page, own, limits, report.counts, pure=False).result()
    return report


def was_begun(quarantine: Table, staged: Staged) -> bool:
    """Whether this very night died between its commits: `quarantine` has it already, `events` not."""
    return not quarantine.unseen(staged.consumed) and quarantine.mark("window") == staged.through.toordinal()


def _known(quarantine: Table, staged: Staged) -> Known:
    known = Known(before=[], tonight=[])
    begun = was_begun(quarantine, staged)
    for file in sorted(quarantine.file_rows()):
        is_tonights = begun and quarantine.partition_of(file) == str(staged.through)
        (known.tonight if is_tonights else known.before).append(file)
    return known
