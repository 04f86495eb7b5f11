"""Preprocess: rows that kept their contract become features."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from data_contracts.contract import ContractError
from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.preprocess.errors import PreprocessError
from tasks.preprocess.features import features_of
from tasks.retry import unless


@task(
    name="preprocess",
    cache_policy=NO_CACHE,
    task_run_name="preprocess-{validated.window}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(ContractError, PreprocessError),
)
def preprocess(
    workspace: Workspace,
    validated: Validated,
    held_out: HeldOut,
    features: BaseModel,
    protocol: Protocol,
    cluster: str,
) -> Night:
    """See `Features.build_night`. Retried because a worker may be lost; safe, an input is consumed once."""
    return features_of(workspace.use_case).build_night(workspace, validated, held_out, features, protocol, cluster)
