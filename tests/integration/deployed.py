"""A house whose servers are up, and what Prefect's server says of its nights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import psutil

from flows import manager
from tests.integration.conftest import House, until
from tests.patience import LONG_SECONDS


@dataclass(frozen=True)
class Deployed:
    """A house whose servers are up.

    Attributes:
        house: With Prefect's server in its environment.
        told: Every notification that came, as it came.
    """

    house: House
    told: list[str]

    @property
    def log(self) -> str:
        """What the worker and its runs said."""
        return (self.house.home / "services" / "worker.log").read_text()

    @property
    def rest_url(self) -> str:
        """Address of the model server."""
        return self.house.environment["NIGHTSHIFT_SERVING__REST_URL"]

    def served(self) -> str | None:
        """Return the version in service, if any."""
        state = httpx.get(f"{self.rest_url}/nightshift/models/shop", timeout=LONG_SECONDS).raise_for_status().json()
        return state["served"] and str(state["served"]["version"])

    def ask(self, path: str, **body: Any) -> Any:
        """Ask Prefect's API: POST with a body, GET without; again while its database is locked, as Prefect does."""
        url = self.house.environment["PREFECT_API_URL"] + path
        for _ in range(10):
            answer = httpx.post(url, json=body, timeout=LONG_SECONDS) if body else httpx.get(url, timeout=LONG_SECONDS)
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        return answer.raise_for_status().json()

    def start_night(self) -> str:
        """Ask for a night now, and return its run's id."""
        deployment = self.ask("/deployments/name/nightly-retrain/nightly")["id"]
        return str(self.ask(f"/deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"})["id"])

    def state(self, run: str) -> dict[str, Any]:
        """Return a run's state."""
        return dict(self.ask(f"/flow_runs/{run}")["state"])

    def wait_for(self, run: str, name: str, *, seconds: float = LONG_SECONDS) -> str:
        """Wait until a run is in the state of that name, and return its message."""
        self.wait(lambda: self.state(run)["name"] == name, lambda: f"{self.state(run)}\n{self.log}", seconds=seconds)
        return str(self.state(run)["message"])

    def wait(self, condition: Callable[[], bool], seen: Callable[[], object], *, seconds: float = LONG_SECONDS) -> None:
        """Wait until a condition holds."""
        assert until(condition, seconds, every=1), seen()  # Prefect's database is easily kept busy

    def page(self) -> str:
        """What the newest artifact `nights-shop` says; nothing before there is one."""
        return str(self.artifact("nights-shop") or "")

    def artifact(self, key: str) -> Any:
        """What the newest artifact of that key holds; None before there is one."""
        found = self.ask("/artifacts/filter", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC", limit=1)
        return found[0]["data"] if found else None

    def process(self, *words: str) -> psutil.Process | None:
        """Return the process started for this house whose command line has all these words."""
        started = [psutil.Process(pid) for pid in manager.left(self.house.settings())]
        return next((each for each in started if set(words) <= set(each.cmdline())), None)

    @staticmethod
    def processes_of(run: str, word: str = "") -> list[psutil.Process]:
        """Return the processes of a flow run, those with a word in their command line, oldest first."""
        found = []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            try:
                own = process.environ().get("PREFECT__FLOW_RUN_ID") == run
                if own and process.status() != psutil.STATUS_ZOMBIE and word in " ".join(process.info["cmdline"]):
                    found.append(process)
            except psutil.Error:
                continue
        return sorted(found, key=lambda each: float(each.info["create_time"]))


@contextmanager
def ear() -> Iterator[tuple[str, list[str]]]:
    """A server that remembers what it is told; yields its URL, and what it was told."""
    told: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()


def save_webhook(api: str, url: str) -> None:
    """Make the block that people make in Prefect's UI."""
    with httpx.Client(base_url=api, timeout=LONG_SECONDS) as client:
        kind = client.get("/block_types/slug/custom-webhook").raise_for_status().json()["id"]
        filters = {"block_schemas": {"block_type_id": {"any_": [kind]}}}
        schema = client.post("/block_schemas/filter", json=filters).raise_for_status().json()[0]["id"]
        data = {"name": "ops", "url": url, "json_data": {"text": "{{subject}} {{body}}"}}
        block = {"name": "ops", "data": data, "block_schema_id": schema, "block_type_id": kind}
        client.post("/block_documents/", json=block).raise_for_status()
