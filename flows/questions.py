"""Questions at Prefect's server: runs of `flows.approve` that a night starts, and that wait for a person."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Cancelled
from prefect.utilities.urls import url_for

from data_contracts.night import Answer, ModelVersion, Night, Promotion, Workspace
from flows.alerts import APPROVE, BROKEN_OFF
from tasks.deploy.config import ServingConfig
from tasks.promote.config import GateConfig

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

log = logging.getLogger(__name__)

DEPLOYMENT = f"{APPROVE}/decision"
NEEDS = (
    "gate.approval: a person is to be asked by the deployment 'approve/decision', and nobody serves it at {where}. "
    "`make up` serves it; or set gate.approval: false, and the gate alone decides."
)

ASK_SECONDS, LOOK_SECONDS = 180.0, 1.0
"""How long a worker may take to ask again, and how often it is looked at."""
AT_WORK = ("Pending", "Running")
"""States of a run that is about to ask, or carries an answer out."""


class NobodyAsksError(Exception):
    """A person is to be asked, and nobody serves the flow that does."""


class NoAnswerError(Exception):
    """A question could not be answered: none is open, or Prefect's server did not take the answer."""


def require_served(gate: GateConfig) -> None:
    """See, before a night does anything, that its question can be asked at its end.

    Raises:
        NobodyAsksError: A person is to be asked, and Prefect's server does not know of the deployment.
    """
    if not gate.approval:
        return
    with get_client(sync_client=True) as client:
        try:
            client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            raise NobodyAsksError(NEEDS.format(where=str(client.api_url))) from None


@task(name="ask", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[10, 60])
def ask(workspace: Workspace, promotion: Promotion, night: Night, serving: ServingConfig) -> Promotion:
    """Start the run that asks about a version that waits, unless it is there; questions about others are replaced.

    Retried because Prefect's database may be busy; safe, a version is asked about once at a time.
    """
    with get_client(sync_client=True) as client:
        runs = questions(client, workspace.tags)
        found = next((run for run in runs if about(run) == promotion.version), None)
        words = f"Nobody answered in time: version {promotion.version.version} was decided about."
        for run in runs:
            if about(run) != promotion.version and not _answered(run):  # an answer that waits says by itself: too late
                client.set_flow_run_state(run.id, Cancelled(name="Replaced", message=words), force=True)
        if not promotion.waiting:
            return promotion
        run = found or _start(client, workspace, promotion.version, night, serving)
    return promotion.model_copy(update={"question": link(run)})


def questions(client: SyncPrefectClient, tags: Sequence[str]) -> list[FlowRun]:
    """Return the runs that ask or will ask, of one home and one name, the newest first."""
    return [run for run in _runs(client, tags) if run.state is not None and not run.state.is_final()]


def times_ended(run_id: str) -> int:
    """Return how often a run ended so far: what is retried has ended before, what is resumed has not."""
    with get_client(sync_client=True) as client:
        return sum(state.is_final() for state in client.read_flow_run_states(UUID(run_id)))


def _runs(client: SyncPrefectClient, tags: Sequence[str]) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[APPROVE])),
        flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=list(tags))),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
    )


def _answered(run: FlowRun) -> bool:
    """Whether a run was suspended, and goes on."""
    return bool(run.empirical_policy.pause_keys) and run.state is not None and not run.state.is_paused()


def about(run: FlowRun) -> ModelVersion:
    """Return the version that a run asks about."""
    return ModelVersion.model_validate(run.parameters["version"])


def link(run: FlowRun) -> str:
    """Return where a run is seen, and answered; its name where Prefect has no pages."""
    return url_for(run) or run.name


def reply(tags: Sequence[str], answer: Answer, say: Callable[[str], object] = log.info) -> FlowRun:
    """Answer the open question of one home and one name, or the last one again that ended without being carried out.

    Args:
        tags: Of that home and name.
        answer: What a person says.
        say: Is told, before it is waited for, that a question is asked again.

    Returns:
        The run, which goes on by itself.

    Raises:
        NoAnswerError: No question is open, or Prefect did not take the answer.
    """
    with get_client(sync_client=True) as client:
        waiting = [run for run in questions(client, tags) if run.state is not None and run.state.is_paused()]
        run = waiting[0] if waiting else _asked_again(client, tags, say)
        told = {"promote": "yes" if answer.yes else "no", "who": answer.who, "why": answer.why}
        result = client.resume_flow_run(run.id, run_input=told)
    if result.status.value != "ACCEPT":
        raise NoAnswerError(f"Prefect did not take the answer to {run.name}: {result.details}")
    return run


def _asked_again(client: SyncPrefectClient, tags: Sequence[str], say: Callable[[str], object]) -> FlowRun:
    """Retry the newest run, if it ended badly, as its page does; return it once it waits for an answer."""
    newest = next(iter(_runs(client, tags)), None)
    if newest is not None and newest.state_name in AT_WORK:
        raise NoAnswerError(
            f"{newest.name} is {newest.state_name}: it has an answer, and waits for the night that is at work, or "
            "it is about to ask. Where the machine it ran on is gone, cancel it on its page, and answer again: "
            f"{link(newest)}"
        )
    if newest is None or newest.state_name not in BROKEN_OFF:
        raise NoAnswerError(
            f"no question of {tags[0]!r} waits for an answer. One that was just asked needs some seconds; "
            "`make status` says what became of the last ones."
        )
    say(f"{newest.name} is {newest.state_name}: it asks again first, which takes a worker half a minute")
    client.set_flow_run_state(newest.id, AwaitingRetry())
    deadline = time.monotonic() + ASK_SECONDS
    while True:
        run = client.read_flow_run(newest.id)
        assert run.state is not None
        if run.state.is_paused():
            return run
        if run.state.is_final():
            raise NoAnswerError(f"{run.name} is {run.state.name}: {run.state.message}")
        if time.monotonic() > deadline:
            raise NoAnswerError(f"{run.name} asks again, and no worker began within {ASK_SECONDS:.0f} s: {link(run)}")
        time.sleep(LOOK_SECONDS)


def _start(
    client: SyncPrefectClient, workspace: Workspace, version: ModelVersion, night: Night, serving: ServingConfig
) -> FlowRun:
    asked = {"workspace": workspace, "version": version, "serving": serving}
    return client.create_flow_run_from_deployment(
        client.read_deployment_by_name(DEPLOYMENT).id,
        parameters={name: value.model_dump(mode="json") for name, value in asked.items()},
        name=f"{workspace.name}-{night.window.key}-version-{version.version}",
        tags=workspace.tags,
    )
