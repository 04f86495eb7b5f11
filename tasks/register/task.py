"""Register: the candidate's bundle, in MLflow, as one version."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from data_contracts.evidence import Evidence
from data_contracts.night import Candidate, ModelVersion, Night, Workspace
from tasks.register.version import register_once
from tasks.retry import unless


@task(
    name="register",
    cache_policy=NO_CACHE,
    task_run_name="register-{night.window.last_day}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(),
)
def register(
    workspace: Workspace,
    candidate: Candidate,
    evidence: Evidence,
    night: Night,
    model: BaseModel,
    features: BaseModel,
) -> ModelVersion:
    """See `register_once`. Retried because MLflow's database may be busy; safe, a run gets one version."""
    return register_once(workspace, candidate, evidence, night, model, features)
