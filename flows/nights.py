"""What became of the last nights, and how old what is served is: read from Prefect and the model server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from data_contracts.bundle import find_version
from data_contracts.serving import VersionHeld
from data_contracts.version import CHAMPION
from flows.alerts import BAD, ENDS, NIGHT
from flows.settings import NightlySettings
from tasks.deploy.server import ModelServer, ServerError

SHOWN = 14
"""Nights that are shown."""
REASON_LENGTH = 300
"""Characters of a reason that are shown."""
PREFECTS_WORDS = "Flow run encountered an exception: "


class StaleModelError(Exception):
    """What is served learned from data older than ``alerts.stale_hours`` allows; or a champion is not served."""


@dataclass(frozen=True)
class NightSeen:
    """One run of the nightly flow.

    Attributes:
        name: Prefect's, of the run.
        planned: When it should have begun, UTC.
        state: Prefect's name of it, such as Completed, Failed, Crashed, Cancelled, Late, Running.
        since: Since when it is in that state, UTC.
        took: How long it ran, or has run; nothing when it has not begun.
        reason: Why it is in that state, in one line; empty when there is nothing to say.
    """

    name: str
    planned: datetime
    state: str
    since: datetime
    took: timedelta
    reason: str


@dataclass(frozen=True)
class Seen:
    """What there is to see at one moment.

    Attributes:
        now: That moment, UTC.
        nights: The newest first, those planned for later left out.
        served: The version in service; None when there is none.
        unserved: Why there is none, if so.
        champion: Whether there is a champion that should be; asked only when none is served.
    """

    now: datetime
    nights: tuple[NightSeen, ...]
    served: VersionHeld | None = None
    unserved: str = ""
    champion: bool = False

    @property
    def data_age(self) -> timedelta | None:
        """How long ago the last day ended that the version in service learned from."""
        return None if self.served is None else self.now - _end(date.fromisoformat(self.served.trained_through))

    def problems(self, stale_hours: float | None) -> list[str]:
        """Say what is not well, a sentence each: the night that came to an end last, or is late; what is served."""
        ends = [night for night in self.nights if night.state in {*ENDS, *BAD}]
        last = max(ends, key=lambda night: night.since, default=None)
        found = []
        if last is not None and last.state in BAD:
            found.append(f"The last night, {last.name}, is {last.state}: {last.reason or 'no reason is known'}")
        if self.served is None or self.is_stale(stale_hours):
            found.append(f"{self.age()}.")
        return found

    def is_stale(self, stale_hours: float | None) -> bool:
        """Whether what is served learned from data older than allowed, or a champion is there and not served."""
        if stale_hours is None:
            return False
        return self.champion if self.data_age is None else self.data_age > timedelta(hours=stale_hours)

    def age(self) -> str:
        """Say, without a full stop, what is served, since when, and how old its data is; or why nothing is."""
        if self.served is None or self.data_age is None:
            return f"Nothing is served: {self.unserved}"
        return (
            f"Version {self.served.version} is in service since {self.served.since:%F %R} UTC; "
            f"the last day it learned from, {self.served.trained_through}, ended {_long(self.data_age)} ago"
        )


def look(settings: NightlySettings) -> Seen:
    """Ask Prefect's server, as its settings name it, and the model server; one that does not answer is told of.

    Raises:
        httpx.HTTPError: Prefect's server does not answer.
    """
    now = datetime.now(UTC)
    try:
        served = ModelServer(settings.name, settings.serving).state().served
        unserved = f"the server at {settings.serving.rest_url} holds no version yet"
    except ServerError as error:
        served, unserved = None, str(error)
    return Seen(now, _nights(now), served, unserved, champion=served is None and _has_champion(settings))


def require_fresh(seen: Seen, stale_hours: float | None) -> None:
    """Say so when what is served is stale, or nothing is though there is a champion.

    Raises:
        StaleModelError: It is; the message says by how much.
    """
    if seen.is_stale(stale_hours):
        step = "Look at the nights since" if seen.served else "There is a champion: look at the model server's log"
        raise StaleModelError(f"{seen.age()}; alerts.stale_hours allows {stale_hours:g}. {step}.")


def markdown(seen: Seen, stale_hours: float | None) -> str:
    """Write what was seen as a page: what is not well, what is served, the nights."""
    problems = seen.problems(stale_hours)
    lines = [f"**Not well.** {_plain(problem)}\n" for problem in problems] or ["**All is well.**\n"]
    lines += [f"{_plain(seen.age())}. Seen at {seen.now:%F %R} UTC.\n"]
    lines += ["| planned, UTC | night | state | took | reason |", "|---|---|---|---|---|"]
    lines += [
        f"| {night.planned:%F %R} | {night.name} | {night.state} | {duration(night.took)} | {_plain(night.reason)} |"
        for night in seen.nights
    ]
    return "\n".join(lines)


def duration(took: timedelta) -> str:
    """Write a span of time for people; nothing for none."""
    minutes, seconds = divmod(round(took.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s" if seconds else ""


def _long(span: timedelta) -> str:
    return f"{span.days:,} days" if span > timedelta(days=3) else f"{span / timedelta(hours=1):,.0f} h"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _end(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _has_champion(settings: NightlySettings) -> bool:
    """Whether there is a champion; an MLflow that does not answer does not say that there is none."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return find_version(settings.workspace().tracking_uri, settings.name, CHAMPION) is not None
    except (MlflowException, SQLAlchemyError):
        return True


def _nights(now: datetime) -> tuple[NightSeen, ...]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[NIGHT])),
            flow_run_filter=FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(before_=now)),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=SHOWN,
        )
    return tuple(
        NightSeen(
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
