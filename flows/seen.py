"""What became of the last nights, and how old what is served is: whether that is well, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from data_contracts.days import start_of
from data_contracts.serving import VersionHeld
from flows.alerts import ASKS, BAD, BROKEN_OFF, ENDS

UNKNOWN = "unknown"
"""The champion of a registry that does not answer: that does not say that there is none."""


class StaleModelError(Exception):
    """What is served learned from data older than ``alerts.stale_hours`` allows; or a champion is not served."""


@dataclass(frozen=True)
class RunSeen:
    """One run of the nightly flow, or of the one that asks a person.

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
        newest: The newest day of the night that made the version in service: it was judged on it, and knows what came
            until its end.
        champion: The version that should be in service; None when there is none.
        stray: How the version in service differs from what the registry has under its number; empty when it does not.
        day_zone: Zone of whose days ``newest`` is one.
        questions: As the nights: what a person was asked, or is.
    """

    now: datetime
    nights: tuple[RunSeen, ...]
    served: VersionHeld | None = None
    unserved: str = ""
    newest: date | None = None
    champion: str | None = None
    stray: str = ""
    day_zone: str = "UTC"
    questions: tuple[RunSeen, ...] = ()

    @property
    def data_age(self) -> timedelta | None:
        """How long ago the newest day ended that the version in service knows of."""
        return None if self.newest is None else self.now - start_of(self.newest + timedelta(days=1), self.day_zone)

    def problems(self, stale_hours: float | None) -> list[str]:
        """Say what is not well, a sentence each: the last night that ended or is late, its question, what is served."""
        ends = [night for night in self.nights if night.state in {*ENDS, *BAD}]
        last = max(ends, key=lambda night: night.since, default=None)
        asked = [run for run in self.questions[:1] if last is None or run.planned > last.planned]
        found = [
            f"The last {what}, {run.name}, is {run.state}: {run.reason or 'no reason is known'}"
            for what, runs in (("night", [last] if last else []), ("question", asked))
            for run in runs
            if run.state in BAD
        ]
        if asked and asked[0].state in BROKEN_OFF:
            found[-1] = f"{found[-1].rstrip('.')}. `python -m flows.approve` answers it again."
        if self.served is None or self.is_stale(stale_hours):
            found.append(f"{self.age()}.")
        if self.stray:
            found.append(f"The model server {self.stray}.")
        elif self.served and self.champion not in {None, UNKNOWN, self.served.version}:
            found.append(
                f"Version {self.served.version} is in service, and the champion is version {self.champion}: a server "
                "that is started again serves the champion. Switch to it, or move the alias."
            )
        return found

    def verdict(self, stale_hours: float | None) -> list[str]:
        """Say what is not well, a sentence each, or that all is: never where nobody said how old the data may be."""
        if found := self.problems(stale_hours):
            return [f"Not well: {problem}" for problem in found]
        if stale_hours is None:
            return ["The nights are well; how old the data may be is not set (alerts.stale_hours)."]
        return ["All is well."]

    def served_as(self, stale_hours: float | None) -> list[str]:
        """Say what is served, and how old it is; nothing when that is a problem, and said already."""
        return [said for said in [f"{self.age()}."] if said not in self.problems(stale_hours)]

    def asked(self) -> list[str]:
        """Say what waits for a person's answer."""
        return [
            f"{run.name} waits for a yes or a no since {run.since:%F %R} UTC: `python -m flows.approve`."
            for run in self.questions
            if run.state == ASKS
        ]

    def listed(self) -> list[RunSeen]:
        """Return the nights, and the questions since the first of them, the newest first."""
        first = min((night.planned for night in self.nights), default=self.now)
        asked = [run for run in self.questions if run.planned >= first]
        return sorted([*self.nights, *asked], key=lambda run: run.planned, reverse=True)

    def is_stale(self, stale_hours: float | None) -> bool:
        """Whether what is served learned from data older than allowed, or a champion is there and not served."""
        if stale_hours is None:
            return False
        if self.served is None:
            return self.champion is not None
        return self.data_age is not None and self.data_age > timedelta(hours=stale_hours)

    def age(self) -> str:
        """Say, without a full stop, what is served, since when, and how old its data is; or why nothing is."""
        if self.served is None or self.data_age is None:
            return f"Nothing is served: {self.unserved}"
        return (
            f"Version {self.served.version} is in service since {self.served.since:%F %R} UTC; it learned through "
            f"{self.served.trained_through}, and the newest day it knows of, {self.newest}, ended "
            f"{_long(self.data_age)} ago"
        )


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
    lines = [f"**{_plain(sentence)}**\n" for sentence in [*seen.verdict(stale_hours), *seen.asked()]]
    lines += [" ".join([*map(_plain, seen.served_as(stale_hours)), f"Seen at {seen.now:%F %R} UTC.\n"])]
    lines += ["| planned, UTC | run | state | took | reason |", "|---|---|---|---|---|"]
    lines += [
        f"| {run.planned:%F %R} | {run.name} | {run.state} | {duration(run.took)} | {_plain(run.reason)} |"
        for run in seen.listed()
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
