"""Ask a person whether what the gate let through is promoted. Deployed as ``decision`` (prefect.yaml).

A night starts the run, which shows the evidence and suspends itself. Answered, on its page or by
``python -m flows.approve``, it runs again from its start, in a new process: so it is a flow of its own, and nothing is
held while a person thinks. A run that ended before its answer was carried out asks anew when it is retried.
"""

from __future__ import annotations

from typing import Literal

from prefect import State, flow, suspend_flow_run, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import INPUTS, RUN_ID
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from data_contracts.night import Answer, ModelVersion, Promotion, Workspace
from flows.ending import ends_in_time
from flows.questions import times_ended
from tasks.deploy.config import ServingConfig
from tasks.deploy.task import deploy
from tasks.lock import only_night
from tasks.promote.answer import TooLateError, question
from tasks.promote.task import answer
from tasks.retry import unless

LONGEST_NIGHT_SECONDS = 12 * 3600.0
"""How long an answer waits for a night that is at work."""


class Reply(RunInput):
    """What Prefect asks on the run's page."""

    promote: Literal["yes", "no"] = Field(description="Is the version to be promoted, and served?")
    who: str = Field(min_length=1, description="Who says so.")
    why: str = Field(min_length=1, description="For those who read it later.")


@flow(name="approve", result_serializer="json", persist_result=True)
def approve(workspace: Workspace, version: ModelVersion, serving: ServingConfig) -> State[Promotion | None]:
    """Ask about a version that waits, and do what the answer says.

    Args:
        workspace: Of the night that asks.
        version: Waits.
        serving: Of that night: where to put it in service.

    Returns:
        What was decided; None, in a state called TooLate, when the question did not stand any more.
    """
    ended = times_ended(flow_run.id)
    try:
        show(workspace, version, ended)
        reply = suspend_flow_run(wait_for_input=Reply, key=f"decision-{ended}")
        said = Answer(yes=reply.promote == "yes", who=reply.who, why=reply.why)
        with only_night(workspace, flow_run.name, seconds=LONGEST_NIGHT_SECONDS), ends_in_time():
            deployed = deploy(workspace, answer(workspace, version, said), serving)
    except TooLateError as late:
        return Completed(name="TooLate", message=str(late))
    return Completed(data=deployed, message=str(deployed))


@task(
    name="show",
    cache_policy=RUN_ID + INPUTS,
    persist_result=True,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(TooLateError),
)
def show(workspace: Workspace, version: ModelVersion, ended: int) -> None:  # noqa: ARG001, a key of the cache
    """Put the question and its evidence on the run's page, once until the run has ``ended`` again. See `question`."""
    key = workspace.artifact("approval")
    create_markdown_artifact(question(workspace, version), key=key, description=f"Version {version.version}.")


if __name__ == "__main__":
    import sys

    from flows.answering import main

    main(sys.argv[1:])
