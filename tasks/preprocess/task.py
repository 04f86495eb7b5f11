"""Turn validated events into features. The one place that turns a use case's name into its features."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.client.schemas.objects import State, TaskRun

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.preprocess.recommender.config import FeatureConfig


def _is_worth_another_try(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    from tasks.preprocess.recommender.errors import PreprocessError

    return not isinstance(state.result(raise_on_failure=False), PreprocessError)


@task(
    name="preprocess",
    task_run_name="preprocess-{validated.window}",
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=_is_worth_another_try,
)
def preprocess(
    workspace: Workspace,
    validated: Validated,
    held_out: HeldOut,
    features: FeatureConfig,
    protocol: Protocol,
    cluster: str,
) -> Night:
    """See `build_night`. Retried because a worker may be lost; safe, an input is consumed once."""
    match workspace.use_case:
        case "recommender":
            from tasks.preprocess.recommender.night import build_night

            return build_night(workspace, validated, held_out, features, protocol, cluster)
