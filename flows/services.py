"""The servers of one machine, under one process manager: ``make up``, ``make down``, ``make status``.

A server of this home that answers already is left as it is; so the one that ``make nightly`` started stays under
``make up``. A stranger's is refused, by name, before anything is started.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from data_contracts.bundle import find_version
from data_contracts.version import CHAMPION
from flows import databases, manager, nights, report, schedule
from flows.manager import Manager, ServiceError
from flows.owners import met_by_a_night, require_own, stranger
from flows.problems import explained
from flows.service import POOL, Answer, Service, services
from flows.settings import NightlySettings
from tasks.deploy.server import (
    ModelServer,
    ServerAbsentError,
    ServerFailedError,
    ServerForeignError,
    ServerRefusedError,
)

START_SECONDS = 180.0
FALLS = 3
"""As often a service may end by itself before its start is given up."""


def up(settings: NightlySettings) -> None:
    """Start what does not answer yet, wait until all of it does, and tell Prefect what it is to do."""
    _end_what_is_forsaken(settings)
    require_own(settings, services(settings))
    _start(settings, services(settings))
    report.line("telling Prefect's server of the nights")
    schedule.register(settings)
    if names := manager.outdated(settings):
        report.line(f"what runs has other settings than these: {', '.join(names)}. `make down`, then `make up`")
    report.services(_seen(settings))


def serve(settings: NightlySettings) -> None:
    """Start the model server alone, if none answers; one left there by a night on other logs makes room."""
    _end_what_is_forsaken(settings)
    alone = {pid: names for pid, names in manager.running(settings).items() if names == ["server"]}
    if alone and not _serves(settings):
        manager.end(settings, alone)
        report.line(f"the model server that other logs had is ended; one for {settings.name!r} takes its place")
    require_own(settings, met_by_a_night(settings))
    _start(settings, services(settings)[-1:])


def _end_what_is_forsaken(settings: NightlySettings) -> None:
    """End what a killed manager left behind, and what still runs for a home that was deleted since."""
    for pids, what in (
        (manager.outlived(settings), "what ran for a home that was deleted since"),
        (manager.orphans(settings), "what a killed manager had left"),
    ):
        if pids:
            manager.end(settings, pids)
            report.line(f"{what} is ended, and started anew")


def _serves(settings: NightlySettings) -> bool:
    """Whether a server answers, for these logs' model and from their registry.

    Raises:
        ServiceError: It breaks, or stays silent.
    """
    try:
        ModelServer(settings.name, settings.workspace().tracking_uri, settings.serving).state()
    except (ServerAbsentError, ServerRefusedError, ServerForeignError):
        return False
    except ServerFailedError as error:
        raise ServiceError(f"server: {error}. `make down` ends it; its log: {manager.logs(settings)}") from error
    return True


def _start(settings: NightlySettings, wanted: Sequence[Service]) -> None:
    """Start what does not answer and has no manager yet, and wait for all; should that fail, end what was started."""
    missing = [service for service in wanted if not service.answers()]
    kept = {name for names in manager.running(settings).values() for name in names}
    new = [service for service in missing if service.name not in kept]
    _require_free_ports(new)
    started = None
    if new:
        databases.require_databases(settings, records=any(service.name == "prefect" for service in new))
    if new and databases.own_mlflow(settings):
        find_version(settings.workspace().tracking_uri, settings.name, CHAMPION)  # makes a new database, once
    if new:
        started = manager.start(settings, [service.name for service in new])
        report.line(f"starting {', '.join(service.name for service in new)}: half a minute each on a quiet machine")
    silent = _wait(started, missing)
    if started and silent:
        manager.end(settings, [started.pid])
    if silent:
        fallen = _given_up(started)
        why = f"{fallen[0]} ended by itself {FALLS} times" if fallen else f"no answer after {START_SECONDS:.0f} s"
        raise ServiceError(f"{', '.join(silent)}: {why}. The logs: {manager.logs(settings)}")


def _wait(started: Manager | None, missing: Sequence[Service]) -> list[str]:
    """Wait until all answer, say each that does, and return those that do not after all."""
    begun, silent = time.monotonic(), list(missing)

    def enough() -> bool:
        for service in [each for each in silent if each.answers()]:
            silent.remove(service)
            report.line(f"{service.name} is up after {time.monotonic() - begun:.0f} s")
        return not silent or bool(_given_up(started))

    manager.wait(enough, START_SECONDS)
    return [service.name for service in silent]


def _given_up(started: Manager | None) -> list[str]:
    falls = Counter(started.fallen() if started else [])
    return [name for name, times in falls.items() if times >= FALLS]


def _require_free_ports(new: Sequence[Service]) -> None:
    taken = [service for service in new if service.listens and service.port_taken()]
    if taken:
        raise ServiceError(
            "\n".join(
                f"{service.name}: {service.url} is taken by something that does not answer {service.health}. "
                "End it, or set another port."
                for service in taken
            )
        )


def down(settings: NightlySettings) -> None:
    """End what was started here, also what a killed service or manager left behind, and nothing else."""
    managers = manager.running(settings)
    manager.end(settings, managers)
    manager.end(settings, manager.left(settings))
    report.line(f"ended: {', '.join(name for names in managers.values() for name in names) or 'nothing was running'}")


def status(settings: NightlySettings) -> None:
    """Say which servers answer, and whether the nights are well."""
    seen = _seen(settings)
    report.services(seen)
    with schedule.spoken_to(settings):
        found = nights.look(settings, recorded=seen["prefect"][1] == Answer.WELL)
    report.nights(found, settings.alerts.stale_hours)
    if problem := databases.registry_problem(settings):
        report.line(problem)


def _seen(settings: NightlySettings) -> dict[str, tuple[str, str]]:
    """Return each service's address, and what it answers, or who answers in its place; all are asked at once."""
    found = services(settings)
    with ThreadPoolExecutor(len(found)) as threads:
        said = threads.map(lambda service: stranger(settings, service) or service.ask().value, found)
        return {service.name: (service.url, words) for service, words in zip(found, said, strict=True)}


def worker(settings: NightlySettings) -> None:
    """Become the Prefect worker, once the server answers; it makes its work pool should there be none."""
    prefect = services(settings)[0]
    manager.wait(prefect.answers, START_SECONDS)
    if not prefect.answers():
        raise ServiceError(f"worker: Prefect's server at {prefect.url} did not answer within {START_SECONDS:.0f} s.")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    os.execv(sys.executable, command)


COMMANDS = {"up": up, "down": down, "status": status, "serve": serve, "worker": worker}


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m flows.services", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="what to do")
    command = COMMANDS[parser.parse_args().command]
    with explained():
        settings = NightlySettings()
    try:
        command(settings)
    except (ServiceError, databases.DatabaseError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
