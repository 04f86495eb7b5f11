"""Promote: the gate, recorded with its reason; and, where a person decides, the answer."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.evidence import Evidence
from data_contracts.night import Answer, HeldOut, ModelVersion, Night, Promotion, Workspace
from tasks.promote.answer import TooLateError, answer_once
from tasks.promote.config import GateConfig
from tasks.promote.record import decide_once
from tasks.retry import unless


@task(
    name="promote",
    cache_policy=NO_CACHE,
    task_run_name="promote-{version.name}-{version.version}",
    retries=2,
    retry_delay_seconds=[10, 60],
)
def promote(
    workspace: Workspace, version: ModelVersion, evidence: Evidence, night: Night, gate: GateConfig, held_out: HeldOut
) -> Promotion:
    """See `decide_once`. Retried because MLflow's database may be busy; safe, a version is decided about once."""
    return decide_once(workspace, version, evidence, night, gate, held_out)


@task(
    name="answer",
    cache_policy=NO_CACHE,
    task_run_name="answer-{version.name}-{version.version}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(TooLateError),
)
def answer(workspace: Workspace, version: ModelVersion, said: Answer) -> Promotion:
    """See `answer_once`. Retried because MLflow's database may be busy; safe, the same answer again changes nothing."""
    return answer_once(workspace, version, said)
