"""Whose a server is, with real processes that listen: of this home, of another, of nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.manager import MARK
from flows.owners import StrangerError, listeners, met_by_a_night, require_own, stranger
from flows.service import Service, services
from flows.settings import NightlySettings

SERVER = """
import http.server, sys

class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_): ...

server = http.server.HTTPServer(("127.0.0.1", 0), Well)
print(server.server_port, flush=True)
server.serve_forever()
"""
Started = Callable[[Path | None], str]


@pytest.fixture
def started() -> Iterator[Started]:
    """Start servers that say that they are well, with the mark of a home or none; returns their addresses."""
    processes: list[subprocess.Popen[str]] = []

    def start(home: Path | None) -> str:
        marked = {} if home is None else {MARK: str(home / "services")}
        command = [sys.executable, "-c", SERVER, "sqlite://me:secret@there"]
        process = subprocess.Popen(command, env={**os.environ, **marked}, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return f"http://127.0.0.1:{int(process.stdout.readline())}"

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def settings_of(home: Path, **changed: object) -> NightlySettings:
    """Return settings of a home with nobody at its addresses, but for those changed."""
    ports = {"prefect_url": "http://127.0.0.1:2", "mlflow_url": "http://127.0.0.1:3"}
    serving = {"rest_url": "http://127.0.0.1:4", "grpc_url": "127.0.0.1:5"}
    return NightlySettings(**{"home": home, "serving": serving, **ports, **changed})  # type: ignore[arg-type]


def at(settings: NightlySettings, name: str) -> Service:
    return next(service for service in services(settings) if service.name == name)


def test_what_was_started_for_this_home_is_ones_own_by_whatever_path(tmp_path: Path, started: Started) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    url = started(home)
    for path in (home, tmp_path / "link", Path(os.path.relpath(home))):
        settings = settings_of(path, mlflow_url=url)
        assert stranger(settings, at(settings, "mlflow")) == ""


def test_another_homes_server_is_named_and_refused_with_what_to_set(tmp_path: Path, started: Started) -> None:
    url = started(tmp_path / "other")
    settings = settings_of(tmp_path / "own", mlflow_url=url)
    with pytest.raises(StrangerError) as refused:
        require_own(settings, services(settings))
    said = str(refused.value)
    assert f"mlflow: {url} is not of this home, '{tmp_path}/own': process " in said
    assert f"of the home '{tmp_path}/other'" in said
    assert "Set mlflow_url to a port that is free; or tracking_uri" in said
    assert "secret" not in said


def test_a_tracking_uri_that_was_given_is_honoured_whoever_has_the_port(tmp_path: Path, started: Started) -> None:
    url = started(None)
    for tracking_uri in (url, f"sqlite:///{tmp_path}/mlflow.db"):
        settings = settings_of(tmp_path, mlflow_url=url, tracking_uri=tracking_uri)
        require_own(settings, met_by_a_night(settings))


def test_a_prefect_is_named_by_its_setting_unless_another_home_has_it(tmp_path: Path, started: Started) -> None:
    nobodys, others = started(None), started(tmp_path / "other")
    named = settings_of(tmp_path, prefect_url=nobodys)
    assert stranger(named, at(named, "prefect")) == ""
    default = named.model_copy()
    default.model_fields_set.remove("prefect_url")
    assert f"Or set it to {nobodys}, to have the nights recorded there." in stranger(default, at(default, "prefect"))
    other = settings_of(tmp_path, prefect_url=others)
    assert stranger(other, at(other, "prefect")).endswith("Set prefect_url to a port that is free.")


def test_a_stranger_on_the_model_servers_port_is_refused(tmp_path: Path, started: Started) -> None:
    settings = settings_of(tmp_path, serving={"rest_url": started(None)})
    assert "is no model server of ours: it answers 'OK'. Set serving.rest_url" in stranger(
        settings, at(settings, "server")
    )


def test_our_own_server_that_cannot_serve_this_registry_is_to_be_ended(tmp_path: Path, started: Started) -> None:
    settings = settings_of(tmp_path, serving={"rest_url": started(tmp_path)})
    said = stranger(settings, at(settings, "server"))
    assert said.startswith("is of this home, and http://")
    assert said.endswith("`make down` ends it.")


def test_nobody_is_no_stranger(tmp_path: Path, started: Started) -> None:
    settings = settings_of(tmp_path)
    assert list(listeners(settings.mlflow_url)) == []
    elsewhere = started(None).replace("127.0.0.1", "192.0.2.1")
    assert list(listeners(elsewhere)) == [], "who listens here does not listen on another machine"
    assert stranger(settings, at(settings, "mlflow")) == ""


def test_a_server_on_the_loopback_of_ipv6_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as door:
        url = f"http://[::1]:{door.getsockname()[1]}"
        assert [each.pid for each in listeners(url)] == [os.getpid()]
        assert Service("server", url, url).port_taken()
    assert not Service("server", url, url).port_taken()
