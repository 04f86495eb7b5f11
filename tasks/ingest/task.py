"""Ingest: source files not seen before become typed rows in staging."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.night import Staged, Workspace
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import IngestError
from tasks.ingest.stage import stage_night
from tasks.retry import unless


@task(
    name="ingest",
    cache_policy=NO_CACHE,
    task_run_name="ingest-{source.of}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(IngestError),
)
def ingest(workspace: Workspace, source: SourceConfig, cluster: str) -> Staged:
    """See `stage_night`. Retried because a worker may be lost, but not for bad input; safe, it writes over its own."""
    return stage_night(workspace, source, cluster)
