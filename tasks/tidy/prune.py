"""Remove what only nights gone by needed."""

from __future__ import annotations

import logging
from pathlib import Path

from data_contracts.night import Workspace
from data_contracts.staging import clear
from data_contracts.table import Table
from data_contracts.use_cases import promises

log = logging.getLogger(__name__)


def prune(workspace: Workspace, run_id: str, *, runs: int) -> None:
    """Remove what lies in staging, all but the last run folders, and table files that no version refers to.

    Only at the end of a night: whatever is staged, or written and not visible, counts as left behind. A run folder
    moves to staging in one step before it is removed, so one that lies in its place is whole, and what a kill leaves is
    removed the next time.

    Args:
        workspace: Whose.
        run_id: Of the night just done; its folder stays.
        runs: Run folders kept, that one among them.

    Raises:
        OSError: Something cannot be removed.
    """
    staging = Path(workspace.staging)
    staging.mkdir(parents=True, exist_ok=True)
    old = old_runs(Path(workspace.runs), run_id, keep=runs)
    for folder in old:
        folder.replace(staging / folder.name)
    clear(str(staging))
    orphans = sum(
        len(Table(workspace.tables, each).remove_orphans()) for each in promises(workspace.use_case).contracts.values()
    )
    log.info("Removed: %s old run folders, %s table files never visible, and all in staging.", len(old), orphans)


def old_runs(runs: Path, run_id: str, *, keep: int) -> list[Path]:
    """Return the run folders to remove: all but ``keep``, that of ``run_id`` and those worked in last."""
    others = [folder for folder in runs.iterdir() if folder.name != run_id] if runs.exists() else []
    return sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[keep - 1 :]
