"""Maintain: tables are kept small, and what they take is said."""

from __future__ import annotations

from functools import partial

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from data_contracts.night import Workspace
from tasks.lock import between_nights
from tasks.maintain.upkeep import Kept, keep_up, report
from tasks.tidy.config import KeepConfig


@task(name="keep-up", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[10, 60])
def keep_tables_up(
    workspace: Workspace, keep: KeepConfig, flow_run: str, longest_night: float, cluster: str
) -> list[Kept]:
    """See `keep_up`. Retried because a worker may be lost; safe, what is done is not done again. Shows a table."""
    lock = partial(between_nights, workspace, flow_run, seconds=longest_night)
    done = keep_up(workspace, keep, lock, cluster)
    said = f"Versions younger than {keep.versions_days} days stay readable, and those of registered models."
    create_table_artifact(list(report(done)), key=workspace.artifact("upkeep"), description=said)
    return done
