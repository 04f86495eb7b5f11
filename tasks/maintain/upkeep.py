"""Upkeep of all tables of a home: old rows go, small files become few, and what nobody reads is deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from distributed import Client
from pydantic import Field

from data_contracts.night import Value, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.maintain.compact import Compacted, compact
from tasks.maintain.keep import kept_versions, registered_nights, remove_old_rows
from tasks.tidy.config import KeepConfig

log = logging.getLogger(__name__)

Lock = Callable[[], AbstractContextManager[None]]


class Kept(Value):
    """One table after its upkeep.

    Attributes:
        table: Its name.
        files: Of the newest version, before and after.
        size: Bytes on the disk, of all versions, before and after.
        removed_rows: That were too old.
        compacted: Files that gave way, and those in their place.
        versions: That are readable.
    """

    table: str
    files: tuple[int, int]
    size: tuple[int, int]
    removed_rows: int = 0
    compacted: tuple[int, int] = (0, 0)
    versions: int = Field(0)

    def __str__(self) -> str:
        """Say it in a line."""
        (files, left), (size, now) = self.files, self.size
        return f"{self.table}: {files:,} files are {left:,}, {size / 1e6:,.1f} MB on the disk are {now / 1e6:,.1f} MB"


def keep_up(workspace: Workspace, keep: KeepConfig, lock: Lock, cluster: str) -> list[Kept]:
    """Do the upkeep of every table, one after the other.

    A run that is killed leaves every table as it was or as it is to be, and the next one goes on.

    Args:
        workspace: Whose.
        keep: What is kept.
        lock: Makes what is held for a moment during each commit, and while files are deleted: no night is at work then.
        cluster: Address of a Dask scheduler.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer, so nobody knows which versions must stay readable.
            Nothing was done.
    """
    nights, promised = registered_nights(workspace), promises(workspace.use_case)
    done = list[Kept]()
    with Client(cluster, set_as_default=False) as client:
        for contract in promised.contracts.values():
            table = Table(workspace.tables, contract)
            if table.version() is None:
                continue
            before, compacted, removed = _taken_by(table), Compacted(), 0
            if contract.name in keep.days:
                with lock():
                    removed = remove_old_rows(workspace, promised, table, keep.days[contract.name])
            if not contract.keeps_itself_small:
                compacted = compact(client, workspace, promised, table, keep.file_mb * 10**6, lock())
            with lock():
                versions = kept_versions(workspace, promised, table, nights, keep.versions_days)
                table.vacuum(versions)
                table.checkpoint()
            done.append(_kept(table, before, compacted, removed, len(versions)))
            log.info("%s", done[-1])
    return done


def _taken_by(table: Table) -> tuple[int, int]:
    """Return the files of the newest version, and the bytes on the disk."""
    return len(table.file_rows()), sum(table.on_disk().values())


def _kept(table: Table, before: tuple[int, int], compacted: Compacted, removed: int, versions: int) -> Kept:
    after = _taken_by(table)
    return Kept(
        table=table.contract.name,
        files=(before[0], after[0]),
        size=(before[1], after[1]),
        removed_rows=removed,
        compacted=compacted,
        versions=versions,
    )


def report(done: list[Kept]) -> Iterator[dict[str, str]]:
    """Yield a row a table, for people."""
    for each in done:
        yield {
            "table": each.table,
            "files before": f"{each.files[0]:,}",
            "files now": f"{each.files[1]:,}",
            "MB before": f"{each.size[0] / 1e6:,.1f}",
            "MB now": f"{each.size[1] / 1e6:,.1f}",
            "put together": f"{each.compacted[0]:,} into {each.compacted[1]:,}",
            "rows too old": f"{each.removed_rows:,}",
            "versions kept": f"{each.versions:,}",
        }
