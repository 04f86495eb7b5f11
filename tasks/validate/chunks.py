"""Every chunk of a night, checked on the workers: one report, and a page for people."""

from __future__ import annotations

import posixpath
from functools import reduce
from operator import add

import fsspec
from distributed import Client

from data_contracts.contract import Limits
from data_contracts.night import Staged, Workspace
from data_contracts.promises import Inflow
from data_contracts.staging import NIGHT
from data_contracts.table import Table
from data_contracts.use_cases import incoming_tables
from tasks.validate.chunk import NOTHING, Known, Report, validate_chunk
from tasks.validate.config import ValidationConfig
from tasks.validate.page import page_uri, write_page
from tasks.validate.verdict import failed_rules


def check_chunks(
    workspace: Workspace, of: Inflow, staged: Staged, limits: Limits, config: ValidationConfig, cluster: str
) -> tuple[Report, str]:
    """Check every staged chunk, write its parts of the tables, and write the night's page.

    Args:
        workspace: Whose tables are written.
        of: What was staged.
        staged: What `stage_night` returned.
        limits: What the rules are measured against.
        config: What is done with late rows, and how many may be broken.
        cluster: Address of the Dask scheduler.

    Returns:
        What became of the rows, and the page's address.

    Raises:
        ContractError: A rule could not be computed.
    """
    system, folder = fsspec.url_to_fs(staged.uri)
    chunks = sorted(path for path in system.find(folder) if path.endswith(".parquet"))
    truth, quarantine = incoming_tables(workspace, of)
    version = truth.next_version()
    known = _known(quarantine, truth, staged)
    name = f"{_prefix(version)}{posixpath.basename(staged.uri)}"
    if known.tonight:
        name = f"{name}-again-{quarantine.version()}"  # what a commit made visible stays as it is
    with Client(cluster, set_as_default=False) as client:
        futures = [
            client.submit(
                validate_chunk,
                system.unstrip_protocol(chunk),
                f"{name}-{number:05}",
                known,
                workspace.tables,
                workspace.use_case,
                of,
                limits,
                drop_late=config.late == "drop",
                pure=False,
            )
            for number, chunk in enumerate(chunks)
        ]
        report: Report = reduce(add, client.gather(futures) or [NOTHING])
        page, failed = page_uri(workspace, of, version), failed_rules(report, config)
        if chunks:
            client.submit(
                write_page, page, workspace.use_case, of, limits, report.counts, failed, config, pure=False
            ).result()
    return report, page


def was_begun(quarantine: Table, truth: Table, staged: Staged) -> bool:
    """Whether this very night died between its commits: `quarantine` has it already, the truth not."""
    return quarantine.mark(NIGHT) == truth.next_version() and not quarantine.unseen(staged.consumed)


def _known(quarantine: Table, truth: Table, staged: Staged) -> Known:
    known = Known(before=[], tonight=[], again=staged.again)
    begun = was_begun(quarantine, truth, staged)
    for file in sorted(quarantine.file_rows()):
        is_tonights = begun and posixpath.basename(file).startswith(_prefix(truth.next_version()))
        (known.tonight if is_tonights else known.before).append(file)
    return known


def _prefix(version: int) -> str:
    """Return how the names of a night's files begin, by the version of the truth that it makes."""
    return f"night-{version:06}-"
