"""What became of the last nights, and how old what is served is: read from Prefect, MLflow and the model server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from data_contracts.bundle import find_version
from data_contracts.night import Night
from data_contracts.serving import ServerState, VersionHeld
from data_contracts.version import CHAMPION
from data_contracts.version import NIGHT as NIGHT_TAG
from flows.alerts import APPROVE, NIGHT
from flows.databases import registry_problem
from flows.seen import UNKNOWN, RunSeen, Seen
from flows.settings import NightlySettings
from tasks.deploy.server import ModelServer, ServerError
from tasks.deploy.service import stray

SHOWN = 14
"""Nights that are shown, and questions at most."""
REASON_LENGTH = 300
"""Characters of a reason that are shown."""
PREFECTS_WORDS = "Flow run encountered an exception: "


def look(settings: NightlySettings, *, recorded: bool = True) -> Seen:
    """Ask Prefect's server, as its settings name it, the model server and the registry; what is silent is told of.

    Args:
        settings: Of one home and one name: the nights of other logs are not seen.
        recorded: Whether Prefect's server is there to be asked.

    Raises:
        httpx.HTTPError: Prefect's server does not answer.
    """
    now = datetime.now(UTC)
    tags = settings.workspace().tags
    nights, questions = (_runs(flow, tags, now) if recorded else () for flow in (NIGHT, APPROVE))
    try:
        state = ModelServer(settings.name, settings.workspace().tracking_uri, settings.serving).state()
    except ServerError as error:
        return Seen(now, nights, unserved=str(error), champion=_champion(settings), questions=questions)
    if state.served is None:
        unserved = f"the server at {settings.serving.rest_url} holds no version yet"
        return Seen(now, nights, unserved=unserved, champion=_champion(settings), questions=questions)
    newest = _learned(state.served)
    seen = Seen(now, nights, served=state.served, newest=newest, day_zone=settings.day_zone, questions=questions)
    return _served(settings, seen, state)


def _served(settings: NightlySettings, seen: Seen, state: ServerState) -> Seen:
    """Add what the registry says about the version in service; nothing if it does not answer."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    assert state.served is not None
    if registry_problem(settings):
        return replace(seen, champion=UNKNOWN)
    tracking_uri = settings.workspace().tracking_uri
    try:
        strange, champion = stray(tracking_uri, state), _champion(settings)
        found = None if strange else find_version(tracking_uri, settings.name, state.served.version)
    except (MlflowException, SQLAlchemyError, OSError):
        return replace(seen, champion=UNKNOWN)
    newest = seen.newest
    if found is not None and NIGHT_TAG in found.tags:
        newest = Night.model_validate_json(found.tags[NIGHT_TAG]).window.last_day
    return replace(seen, newest=newest, champion=champion, stray=strange)


def _learned(served: VersionHeld) -> date:
    """Return the last day that a version learned from: all that is known of one that the registry does not explain."""
    return date.fromisoformat(served.trained_through)


def _champion(settings: NightlySettings) -> str | None:
    """Return the version that should be in service, if any; `UNKNOWN` when MLflow does not say."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if settings.tracking_uri is None and not (settings.home / "mlflow.db").exists():  # whoever opens it makes it
        return None
    if registry_problem(settings):
        return UNKNOWN
    try:
        found = find_version(settings.workspace().tracking_uri, settings.name, CHAMPION)
    except (MlflowException, SQLAlchemyError):
        return UNKNOWN
    return None if found is None else str(found.version)


def _runs(flow: str, tags: Sequence[str], now: datetime) -> tuple[RunSeen, ...]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(
                tags=FlowRunFilterTags(all_=list(tags)),
                expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=SHOWN,
        )
    return tuple(
        RunSeen(
            name=run.name,
            planned=run.expected_start_time or now,
            state=run.state_name or "",
            since=run.state.timestamp if run.state else now,
            took=run.estimated_run_time or run.total_run_time,
            reason=_one_line((run.state.message if run.state else None) or ""),
        )
        for run in runs
    )


def _one_line(message: str) -> str:
    text = " ".join(message.removeprefix(PREFECTS_WORDS).split())
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"
