"""A flow that runs in this process, seen in this home's Prefect: `make up`'s, or one that ends with the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect import State, tags
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL, temporary_settings

from flows import report
from flows.databases import prefects_database, require_databases
from flows.manager import ServiceError
from flows.owners import met_by_a_night, require_own
from flows.questions import NEEDS
from flows.service import services
from flows.settings import NightlySettings
from flows.temporary import start_prefect


@contextmanager
def recorded(settings: NightlySettings) -> Iterator[None]:
    """Have a flow called under it seen there, with the tags of its logs and home.

    Raises:
        ServiceError: Somebody else's server is where ours should be, or a person is to be asked and nobody asks.
        DatabaseError: One that is needed cannot be used.
    """
    require_own(settings, met_by_a_night(settings))
    prefect, *_ = services(settings)
    home = settings.home.resolve() / "prefect"
    is_up = prefect.is_up()
    require_databases(settings, records=not is_up)
    if is_up:
        api, pages = f"{settings.prefect_url}/api", settings.prefect_url
    elif settings.gate.approval:
        raise ServiceError(NEEDS.format(where=prefect.url))
    else:
        api, pages = start_prefect(home, prefects_database(settings)), ""  # it has no pages to link to
    with (
        temporary_settings({PREFECT_HOME: home, PREFECT_API_URL: api, PREFECT_UI_URL: pages}),
        report.without_tracebacks(),
        tags(*settings.workspace().tags),
    ):
        yield


def outcome_here(settings: NightlySettings, call: Callable[[], State[Any]]) -> Any:  # noqa: ANN401, of the flow
    """Call a flow, seen in Prefect, and return what it returns; print how it failed instead, and end the program.

    Raises:
        ServiceError: See `recorded`.
        DatabaseError: See `recorded`.
        SystemExit: It failed.
    """
    with recorded(settings):
        outcome = call().result(raise_on_failure=False)
    if isinstance(outcome, BaseException):
        report.failure(outcome)
        sys.exit(1)
    return outcome
