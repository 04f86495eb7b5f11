"""A model server in a process of its own, on ports that are free."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from data_contracts.serving import OPERATIONS, operations_socket
from tests.patience import LONG_SECONDS, patient

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    rest_url: str
    grpc_url: str
    log: Path

    def wait_until_ready(self) -> None:
        _wait(lambda: httpx.get(f"{self.rest_url}/v2/health/ready", timeout=LONG_SECONDS).status_code == 200, self.log)

    def wait_until_said(self, words: str) -> None:
        _wait(lambda: words in self.log.read_text(), self.log)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.rest_url + path, timeout=LONG_SECONDS)

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(self.rest_url + path, json=body, timeout=LONG_SECONDS)

    def operate(self, operation: str, version: str, *, name: str = "shop") -> httpx.Response:
        socket = operations_socket(int(self.rest_url.rpartition(":")[2]))
        url = f"{self.rest_url}{OPERATIONS.format(name=name)}/{operation}"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=LONG_SECONDS) as client:
            return client.post(url, json={"version": version})


def command_line(tracking_uri: str, *options: str, name: str = "shop") -> list[str]:
    return [sys.executable, "-m", "models.serving.server", "--tracking-uri", tracking_uri, "--name", name, *options]


@contextmanager
def running_server(tracking_uri: str, folder: Path, *options: str, name: str = "shop") -> Iterator[Running]:
    """Start the server, wait until it listens, and end it; it must end by itself, and well."""
    log = folder / "server.log"
    command = command_line(tracking_uri, "--rest-port", "0", "--grpc-port", "0", *options, name=name)
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        _wait(lambda: "REST on" in log.read_text() or process.poll() is not None, log)
        found = re.search(r"REST on (\S+) gRPC on (\S+)", log.read_text())
        assert found is not None, log.read_text()
        yield Running(process, found[1], found[2], log)
        process.terminate()
        assert process.wait(patient(20)) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def _wait(done: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not done():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
