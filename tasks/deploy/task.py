"""Deploy: what was promoted goes into service, or what serves stays."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.night import Promotion, Workspace
from tasks.deploy.config import ServingConfig
from tasks.deploy.server import ServerForeignError
from tasks.deploy.service import put_in_service
from tasks.retry import unless


@task(
    name="deploy",
    cache_policy=NO_CACHE,
    task_run_name="deploy-{promotion.version.name}-{promotion.version.version}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(ServerForeignError),
)
def deploy(workspace: Workspace, promotion: Promotion, serving: ServingConfig) -> Promotion:
    """See `put_in_service`. Retried because MLflow or the model server may be busy; safe, a step says what is to be."""
    return put_in_service(workspace, promotion, serving)
