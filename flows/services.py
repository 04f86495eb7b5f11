"""The servers of one machine, under one process manager: ``make up``, ``make down``, ``make status``, ``make serve``.

A server that answers already is left as it is; so the one that ``make nightly`` started stays under ``make up``.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

from data_contracts.bundle import find_version
from data_contracts.version import CHAMPION
from flows import manager, report
from flows.manager import ROOT, ServiceError
from flows.settings import NightlySettings, explained
from tasks.deploy.server import ModelServer, ServerAbsentError, ServerRefusedError

START_SECONDS = 180.0
POOL = "nightshift"
"""Prefect's work pool, as prefect.yaml names it."""


@dataclass(frozen=True)
class Service:
    """One process of the Procfile, where people open it, and how it is known to be well.

    Attributes:
        name: In the Procfile.
        url: Where people open it.
        health: Address that answers when it is well.
        says: What the answer must contain.
        listens: Whether it has a port of its own.
    """

    name: str
    url: str
    health: str
    says: bytes = b""
    listens: bool = True

    def answers(self) -> bool:
        """Whether it says that it is well, within two seconds."""
        try:
            with urlopen(self.health, timeout=2) as response:
                return self.says in response.read()
        except (URLError, OSError):
            return False

    def port_taken(self) -> bool:
        """Whether something listens on its port, well or not."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0


def services(settings: NightlySettings) -> tuple[Service, ...]:
    """Return every service; the worker's word is its work pool's at Prefect's server."""
    prefect, mlflow, rest = settings.prefect_url, settings.mlflow_url, settings.serving.rest_url
    return (
        Service("prefect", prefect, f"{prefect}/api/health"),
        Service("mlflow", mlflow, f"{mlflow}/health"),
        Service("worker", prefect, f"{prefect}/api/work_pools/{POOL}", says=b'"status":"READY"', listens=False),
        Service("server", rest, f"{rest}/v2/health/live"),
    )


def up(settings: NightlySettings) -> None:
    """Start what does not answer yet, and wait until all of it does."""
    _start(settings, services(settings))
    report.services({service.name: (service.url, service.answers()) for service in services(settings)})


def serve(settings: NightlySettings) -> None:
    """Start the model server alone, if none answers; one left there by a night on other logs makes room."""
    alone = {pid: names for pid, names in manager.running(settings).items() if names == ["server"]}
    if alone and not _serves(settings):
        manager.end(alone)
        report.line(f"the model server that other logs had is ended; one for {settings.name!r} takes its place")
    _start(settings, services(settings)[-1:])


def _serves(settings: NightlySettings) -> bool:
    """Whether a server answers, and for these logs' model."""
    try:
        return ModelServer(settings.name, settings.serving).state().name == settings.name
    except (ServerAbsentError, ServerRefusedError):
        return False


def _start(settings: NightlySettings, wanted: tuple[Service, ...]) -> None:
    missing = [service for service in wanted if not service.answers()]
    taken = [service for service in missing if service.listens and service.port_taken()]
    if taken:
        raise ServiceError(
            "\n".join(
                f"{service.name}: {service.url} is taken by something that does not answer {service.health}. "
                "End it, or set another port."
                for service in taken
            )
        )
    if not missing:
        return
    names = [service.name for service in missing]
    find_version(settings.workspace().tracking_uri, settings.name, CHAMPION)  # makes a new database, once
    process, log = manager.start(settings, names)
    manager.wait(lambda: process.poll() is not None or all(service.answers() for service in missing), START_SECONDS)
    silent = ", ".join(service.name for service in missing if not service.answers())
    if process.poll() is not None:
        raise ServiceError(f"{', '.join(names)}: ended with code {process.returncode} before answering. Its log: {log}")
    if silent:
        raise ServiceError(f"{silent}: no answer after {START_SECONDS:.0f} s. Its log: {log}")


def down(settings: NightlySettings) -> None:
    """End what was started here, and nothing else."""
    managers = manager.running(settings)
    manager.end(managers)
    report.line(f"ended: {', '.join(name for names in managers.values() for name in names) or 'nothing was running'}")


def status(settings: NightlySettings) -> None:
    """Say which servers answer."""
    report.services({service.name: (service.url, service.answers()) for service in services(settings)})


def worker(settings: NightlySettings) -> None:
    """Become the Prefect worker, once the server answers and the deployment is registered."""
    prefect = services(settings)[0]
    manager.wait(prefect.answers, START_SECONDS)
    if not prefect.answers():
        raise ServiceError(f"worker: Prefect's server at {prefect.url} did not answer within {START_SECONDS:.0f} s.")
    command = [sys.executable, "-m", "prefect"]
    pool = ["--type", "process", POOL]
    subprocess.run([*command, "work-pool", "create", "--overwrite", *pool], check=True, cwd=ROOT)
    subprocess.run([*command, "--no-prompt", "deploy", "--all"], check=True, cwd=ROOT)
    os.execv(sys.executable, [*command, "worker", "start", "--pool", POOL, "--type", "process"])


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
