"""Tidy: what only nights gone by needed is removed, and what the rest takes on disk is said."""

from __future__ import annotations

import logging

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from data_contracts.night import Candidate, Workspace
from tasks.tidy.config import KeepConfig
from tasks.tidy.disk import disk_use, in_words
from tasks.tidy.prune import prune

log = logging.getLogger(__name__)


@task(name="tidy", cache_policy=NO_CACHE)
def tidy(workspace: Workspace, candidate: Candidate, keep: KeepConfig) -> None:
    """See `prune`. What fails is a warning: the night was good, the next one tidies. Shows disk use as an artifact."""
    try:
        prune(workspace, candidate.run_id, runs=keep.runs)
        use = disk_use(workspace)
        log.info("On disk: %s.", in_words(use))
        table = [{"part": part, "MB": f"{size / 1e6:,.1f}"} for part, size in use.items()]
        key = workspace.artifact("disk-use")
        create_table_artifact(table, key=key, description=f"What {workspace.home} takes after the night.")
    except Exception:  # the boundary of a task: the night's work is done
        log.warning("Not everything was tidied up. Nothing is lost; the next night tries again.", exc_info=True)
