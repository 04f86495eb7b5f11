"""Whose a server is: one's own, or a stranger's, whose records and versions must not be mixed with ours.

Ports are everybody's. A server is one's own when a process that was started for this home listens there (whoever
started it carries the home's mark, see `flows.manager`), and the model server also when it reads our registry.

::

    at                what                                                             is
    prefect_url       started for this home                                            our own
                      started for another home                                         refused: its nights are others
                      anything else, and `prefect_url` was set                         named, and used
                      anything else                                                    refused
    mlflow_url        started for this home                                            our own
                      anything else; asked only when `tracking_uri` was not set        refused
    serving.rest_url  started for this home, or it reads our registry                  our own
                      anything else                                                    refused
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from data_contracts.credentials import without_password
from flows import manager
from flows.manager import ServiceError
from flows.service import PATIENCE_SECONDS, Service, services
from flows.settings import NightlySettings
from tasks.deploy.server import ModelServer, ServerError, ServerForeignError

SET = {
    "prefect": "Set prefect_url to a port that is free.",
    "mlflow": "Set mlflow_url to a port that is free; or tracking_uri, to this address or to a database.",
    "server": "Set serving.rest_url and serving.grpc_url to ports that are free, or end it.",
}
"""What to do about a stranger at each one's address."""
ANYWHERE = ("0.0.0.0", "::")
COMMAND_LENGTH = 200
"""Characters of a stranger's command line that are shown."""


class StrangerError(ServiceError):
    """Somebody else's server answers at an address of ours; the message names each, and the settings to change."""


@dataclass(frozen=True)
class Listener:
    """A process that listens on a port of this machine.

    Attributes:
        pid: Its number; None when it is another user's, and cannot be looked at.
        home: For which it was started; None when it was not started by `make up` or `make nightly`.
        command: Its command line, without passwords; empty when it cannot be looked at.
    """

    pid: int | None
    home: Path | None = None
    command: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "another user's process"
        of = f" of the home {str(self.home)!r}" if self.home else ""
        return f"process {self.pid}{of} ({self.command})"


def met_by_a_night(settings: NightlySettings) -> list[Service]:
    """Return the servers that a night may take for its own: with a `tracking_uri` it looks for no MLflow."""
    return [each for each in services(settings) if each.name != "mlflow" or settings.tracking_uri is None]


def require_own(settings: NightlySettings, wanted: Iterable[Service]) -> None:
    """See that what answers at our addresses is our own, or named by a setting.

    Raises:
        StrangerError: It is not; every one is named.
    """
    listening = (each for each in wanted if each.listens)
    if found := [f"{each.name}: {each.url} {why}" for each in listening if (why := stranger(settings, each))]:
        raise StrangerError("\n".join(found))


def stranger(settings: NightlySettings, service: Service) -> str:
    """Say who answers at a service's address though it is not ours, and what to set; nothing when it is, or nobody.

    A service that does not listen is asked for at Prefect's server.
    """
    home, found = settings.home.resolve(), list(listeners(service.url))
    asked = service.name if service.listens else "prefect"
    if not service.port_taken():
        return ""
    if any(each.home == home for each in found):
        return _astray(settings) if asked == "server" else ""
    elsewhere, step = next((each for each in found if each.home), None), SET[asked]
    match asked:
        case "prefect" if elsewhere is None:
            if "prefect_url" in settings.model_fields_set:
                return ""
            why = "answers there" if service.answers() else ""
            step += f" Or set it to {service.url}, to have the nights recorded there."
        case "server":
            why = _foreign(settings)
        case _:
            why = "answers there" if service.answers() else ""
    who = elsewhere or next(iter(found), "somebody on another machine, or in a container,")
    return why and f"is not of this home, {str(home)!r}: {who} {why}. {step}"


def _astray(settings: NightlySettings) -> str:
    """Say why our own model server cannot serve these logs' registry; nothing when it does, or serves other logs."""
    try:
        _server(settings).state()
    except ServerForeignError as error:
        return f"is of this home, and {error}. `make down` ends it."
    except ServerError:
        return ""
    return ""


def _foreign(settings: NightlySettings) -> str:
    """Say what makes a model server somebody else's; nothing when it answers for these logs, from our registry."""
    try:
        _server(settings).state()
    except ServerError as error:
        return f"answers there, and {error}"
    return ""


def _server(settings: NightlySettings) -> ModelServer:
    patient = settings.serving.model_copy(update={"answer_seconds": PATIENCE_SECONDS})
    return ModelServer(settings.name, settings.workspace().tracking_uri, patient)


def listeners(url: str) -> Iterator[Listener]:
    """Go through the processes of this machine that listen at an address, ``http://host:port``."""
    target = urlsplit(url)
    try:
        found = socket.getaddrinfo(target.hostname, target.port, type=socket.SOCK_STREAM)
    except OSError:
        return
    addresses = {str(address[0]) for *_, address in found}
    own = {each.address for known in psutil.net_if_addrs().values() for each in known}
    here = {each for each in addresses if ip_address(each).is_loopback or each in own}
    if not here:
        return
    here.update(ANYWHERE)
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port == target.port and each.laddr.ip in here:
            yield _listener(each.pid)


def _listener(pid: int | None) -> Listener:
    try:
        process = psutil.Process(pid) if pid else None
        command = " ".join(process.cmdline()) if process else ""
        mark = process.environ().get(manager.MARK) if process else None
    except psutil.Error:
        return Listener(None)
    shown = " ".join(without_password(command).split())
    return Listener(pid, Path(mark).parent if mark else None, shown[:COMMAND_LENGTH])
