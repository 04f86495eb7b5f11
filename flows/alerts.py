"""What Prefect's server does by itself when a run goes wrong: its automations, installed by ``make up``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel, Field, PositiveFloat

from flows import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import SyncPrefectClient

SILENT = "nightshift: a night that falls silent has crashed"
NEVER_BEGUN = "nightshift: a night that never begins has crashed"
TOLD = "nightshift: somebody is told of a bad run"
NIGHT, WATCH, APPROVE = "nightly-retrain", "watch", "approve"
"""The flows."""

BEGIN_SECONDS = 300
"""How long a run's process may take to begin; for as long Prefect holds a slot for a run that has not begun."""
ANY_RUN: dict[str, str | list[str]] = {"prefect.resource.id": "prefect.flow-run.*"}
ENDS = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")
BROKEN_OFF = ("Failed", "Crashed", "Cancelled", "TimedOut")
"""States of a run that did not come to its end; a question that a newer one replaced is in none of them."""
BAD = (*BROKEN_OFF, "Late")
ASKS = "Suspended"
"""State of a run that waits for a person's answer."""


class AlertConfig(BaseModel, frozen=True, extra="forbid"):
    """Who is told of a bad night, or asked about a good one; and what else is bad."""

    notify: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+/[a-z0-9-]+$",
        description="Prefect's block that is told of each bad run and of each question, `<type>/<name>`, such as "
        "`slack-webhook/ops`.",
    )
    silent_seconds: int = Field(
        10 * HEARTBEAT_SECONDS,
        ge=3 * HEARTBEAT_SECONDS,
        description="A night of which Prefect's server hears nothing for so long has crashed; so a server that is "
        "down, or a machine that sleeps, for longer than this ends the night.",
    )
    stale_hours: PositiveFloat | None = Field(
        36,
        description="The newest day that the served model knows of ended so long ago: that is an alert too, and the "
        "run of `watch` that sees it fails. A healthy night a day stays below 27; null for logs that have ended.",
    )


class NoSuchBlockError(Exception):
    """Nobody can be told: Prefect's server has no such block."""


def install(config: AlertConfig) -> None:
    """Make Prefect's automations what they should be; one that is so already is left alone, with the runs it follows.

    Raises:
        NoSuchBlockError: Prefect's server has no block that ``config.notify`` names.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        told = None if config.notify is None else _told(_block(client, config.notify))
        for name, wanted in ((SILENT, _silent(config.silent_seconds)), (NEVER_BEGUN, _never_begun()), (TOLD, told)):
            _make(client, name, wanted)


def _make(client: SyncPrefectClient, name: str, wanted: AutomationCore | None) -> None:
    """Have exactly ``wanted`` under this name, or nothing."""
    from prefect.automations import AutomationCore

    found = client.read_automations_by_name(name)
    if [AutomationCore(**each.model_dump()) for each in found] == [wanted]:
        return
    for each in found:
        client.delete_automation(each.id)
    if wanted is not None:
        client.create_automation(wanted)


def _silent(seconds: int) -> AutomationCore:
    """Crash a running run of which no heartbeat came: its process was killed, or its machine is gone."""
    message = f"No sign of life for {seconds} s: its process was killed, or its machine is gone."
    started = ("Running", "heartbeat")  # it may be killed before its first heartbeat
    return _crash(SILENT, after=started, expect=("heartbeat", *ENDS), seconds=seconds, message=message)


def _never_begun() -> AutomationCore:
    """Crash a run that was taken by a worker and never began: both were killed in that moment."""
    message = f"It did not begin within {BEGIN_SECONDS} s: its worker was killed while it started the run."
    return _crash(NEVER_BEGUN, after=("Pending",), expect=("Running", *ENDS), seconds=BEGIN_SECONDS, message=message)


def _crash(name: str, *, after: Sequence[str], expect: Sequence[str], seconds: int, message: str) -> AutomationCore:
    from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture
    from prefect.client.schemas.objects import StateType

    trigger = EventTrigger(
        after=_events(after),
        expect=_events(expect),
        match=ANY_RUN,
        match_related=_of(NIGHT),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        within=timedelta(seconds=seconds),
    )
    crash = ChangeFlowRunState(state=StateType.CRASHED, message=message)
    return AutomationCore(name=name, trigger=trigger, actions=[crash])


def _told(block: UUID) -> AutomationCore:
    """Tell of a run that ended badly, is late, or asks a person."""
    from prefect.automations import AutomationCore, EventTrigger, Posture, SendNotification

    trigger = EventTrigger(
        expect=_events((*BAD, ASKS)),
        match=ANY_RUN,
        match_related=_of(NIGHT, WATCH, APPROVE),
        posture=Posture.Reactive,
    )
    notification = SendNotification(
        block_document_id=block,
        subject="{{ flow.name }} {{ flow_run.name }}: {{ flow_run.state.name }}",
        body="{{ flow_run.state.message or '' }}\n{{ flow_run|ui_url }}",
    )
    return AutomationCore(name=TOLD, trigger=trigger, actions=[notification])


def _events(names: Iterable[str]) -> set[str]:
    return {f"prefect.flow-run.{name}" for name in names}


def _of(*flows: str) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(flows)}


def _block(client: SyncPrefectClient, name: str) -> UUID:
    from prefect.exceptions import ObjectNotFound

    kind, _, block = name.partition("/")
    try:
        return client.read_block_document_by_name(block, kind).id
    except ObjectNotFound as error:
        raise NoSuchBlockError(
            f"alerts.notify: Prefect's server has no block {name!r}. Make it there (Blocks), then `make up` again."
        ) from error
