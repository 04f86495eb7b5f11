"""The servers of one machine, under one process manager: ``make up``, ``make down``, ``make status``, ``make serve``.

A server that answers already is left as it is; so the one that ``make nightly`` started stays under ``make up``.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from urllib.request import Request, urlopen

from data_contracts.bundle import find_version
from data_contracts.version import CHAMPION
from flows import manager, nights, report, schedule
from flows.manager import Manager, ServiceError
from flows.settings import NightlySettings, explained
from tasks.deploy.server import ModelServer, ServerAbsentError, ServerFailedError, ServerRefusedError

START_SECONDS = 180.0
FALLS = 3
"""As often a service may end by itself before its start is given up."""
POOL = "nightshift"
"""Prefect's work pool, as prefect.yaml names it."""


@dataclass(frozen=True)
class Service:
    """One program of supervisord.conf, where people open it, and how it is known to be well.

    Attributes:
        name: In supervisord.conf.
        url: Where people open it.
        health: Address that answers when it is well.
        asks: JSON that is sent to that address, if any.
        says: What the answer must contain.
        listens: Whether it has a port of its own.
    """

    name: str
    url: str
    health: str
    asks: bytes | None = None
    says: bytes = b""
    listens: bool = True

    def answers(self) -> bool:
        """Whether it says that it is well, within two seconds."""
        try:
            asked = Request(self.health, self.asks, {"content-type": "application/json"})
            with urlopen(asked, timeout=2) as response:
                return self.says in response.read()
        except (HTTPException, OSError):
            return False

    def port_taken(self) -> bool:
        """Whether something listens on its port, well or not."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0


def services(settings: NightlySettings) -> tuple[Service, ...]:
    """Return every service that is started here; Prefect's server has the worker's word, its pool paused or not."""
    prefect, mlflow, rest = settings.prefect_url, settings.mlflow_url, settings.serving.rest_url
    pool, online = f"{prefect}/api/work_pools/{POOL}", b'{"workers": {"status": {"any_": ["ONLINE"]}}}'
    return (
        Service("prefect", prefect, f"{prefect}/api/health"),
        *([Service("mlflow", mlflow, f"{mlflow}/health")] if manager.own_mlflow(settings) else []),
        Service("worker", prefect, f"{pool}/workers/filter", asks=online, says=b'"ONLINE"', listens=False),
        Service("server", rest, f"{rest}/v2/health/live"),
    )


def up(settings: NightlySettings) -> None:
    """Start what does not answer yet, wait until all of it does, and tell Prefect what it is to do."""
    if unkept := manager.orphans(settings):
        manager.end(settings, unkept)
        report.line("what a killed manager had left is ended, and started anew")
    _start(settings, services(settings))
    schedule.register(settings)
    if names := manager.outdated(settings):
        report.line(f"what runs has other settings than these: {', '.join(names)}. `make down`, then `make up`")
    report.services({service.name: (service.url, service.answers()) for service in services(settings)})


def serve(settings: NightlySettings) -> None:
    """Start the model server alone, if none answers; one left there by a night on other logs makes room."""
    alone = {pid: names for pid, names in manager.running(settings).items() if names == ["server"]}
    if alone and not _serves(settings):
        manager.end(settings, alone)
        report.line(f"the model server that other logs had is ended; one for {settings.name!r} takes its place")
    _start(settings, services(settings)[-1:])


def _serves(settings: NightlySettings) -> bool:
    """Whether a server answers, and for these logs' model.

    Raises:
        ServiceError: It breaks, or stays silent.
    """
    try:
        return ModelServer(settings.name, settings.serving).state().name == settings.name
    except (ServerAbsentError, ServerRefusedError):
        return False
    except ServerFailedError as error:
        raise ServiceError(f"server: {error}. `make down` ends it; its log: {manager.logs(settings)}") from error


def _start(settings: NightlySettings, wanted: tuple[Service, ...]) -> None:
    """Start what does not answer and has no manager yet, and wait for all; should that fail, end what was started."""
    missing = [service for service in wanted if not service.answers()]
    kept = {name for names in manager.running(settings).values() for name in names}
    new = [service for service in missing if service.name not in kept]
    _require_free_ports(new)
    started = None
    if new and manager.own_mlflow(settings):
        find_version(settings.workspace().tracking_uri, settings.name, CHAMPION)  # makes a new database, once
    if new:
        started = manager.start(settings, [service.name for service in new])
    manager.wait(lambda: bool(_given_up(started)) or not _silent(missing), START_SECONDS)
    fallen, silent = _given_up(started), _silent(missing)
    if started and silent:
        manager.end(settings, [started.pid])
    if silent:
        why = f"{fallen[0]} ended by itself {FALLS} times" if fallen else f"no answer after {START_SECONDS:.0f} s"
        raise ServiceError(f"{', '.join(silent)}: {why}. The logs: {manager.logs(settings)}")


def _given_up(started: Manager | None) -> list[str]:
    falls = Counter(started.fallen() if started else [])
    return [name for name, times in falls.items() if times >= FALLS]


def _silent(wanted: Sequence[Service]) -> list[str]:
    return [service.name for service in wanted if not service.answers()]


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
    found = services(settings)
    answers = {service.name: (service.url, service.answers()) for service in found}
    report.services(answers)
    if answers["prefect"][1]:
        with schedule.spoken_to(settings):
            report.nights(nights.look(settings), settings.alerts.stale_hours)


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
    except ServiceError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
