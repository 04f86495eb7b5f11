"""Forget: people are put on the list, and everything that names them is erased."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.night import Workspace
from tasks.deploy.config import ServingConfig
from tasks.forget import erase as rooms
from tasks.forget.ids import put_on_list_from
from tasks.forget.tables import NightUnfinishedError
from tasks.retry import unless


@task(name="list", cache_policy=NO_CACHE)
def put_on_list(workspace: Workspace, ids: str) -> int:
    """See `put_on_list_from`. Not retried: a file that cannot be read stays so."""
    return put_on_list_from(workspace, ids)


@task(
    name="erase",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(NightUnfinishedError),
)
def erase(workspace: Workspace, serving: ServingConfig, cluster: str) -> rooms.Erasure:
    """See `erase_everywhere`. Retried because a worker may be lost; safe, what is erased is not found again."""
    return rooms.erase_everywhere(workspace, serving, cluster)
