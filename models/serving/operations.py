"""What the server's operator may do, by a socket of its own; and what everybody may see: what is served."""

from __future__ import annotations

import json
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from html import escape
from threading import Thread

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from data_contracts.serving import OPERATIONS, ServerState, VersionWanted
from models.serving.registry import VersionError
from models.serving.versions import Versions

EXAMPLE = {
    "inputs": [
        {"name": "user_id", "shape": [1], "datatype": "BYTES", "data": ["u1"]},
        {"name": "k", "shape": [1], "datatype": "INT32", "data": [5]},
    ]
}
"""What the page shows people how to ask."""


def state(versions: Versions) -> APIRouter:
    """Build what says what is served: the state of `data_contracts.serving`, and ``GET /`` for people."""
    router = APIRouter(tags=["state"])

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page(request: Request) -> str:
        return _page(versions.state(), str(request.base_url))

    @router.get(OPERATIONS.format(name=versions.registry.name))
    async def held() -> ServerState:
        return versions.state()

    return router


def operations(versions: Versions) -> APIRouter:
    """Build what changes what is served; see `data_contracts.serving`."""
    router = APIRouter()
    path = OPERATIONS.format(name=versions.registry.name)

    @router.post(f"{path}/stage")
    async def stage(wanted: VersionWanted) -> ServerState:
        await wrap_future(in_background(lambda: versions.stage(wanted.version, wanted.digest)))
        return versions.state()

    @router.post(f"{path}/switch")
    async def switch(wanted: VersionWanted) -> ServerState:
        versions.switch(wanted.version, wanted.digest)
        return versions.state()

    return router


def in_background(work: Callable[[], None]) -> Future[None]:
    """Run ``work``, which raises nothing but `VersionError`, in a thread that ends with the process."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
            done.set_result(None)
        except VersionError as error:
            done.set_exception(error)

    Thread(target=run, daemon=True, name="staging").start()
    return done


def _page(state: ServerState, url: str) -> str:
    served = "No version is in service yet: the next night that promotes one puts it here."
    if state.served:
        served = f"Version <b>{escape(state.served.version)}</b> answers, since {state.served.since:%F %T} UTC."
    curl = f"curl {url}v2/models/{state.name}/infer -H 'Content-Type: application/json' -d '{json.dumps(EXAMPLE)}'"
    return (
        f"<!doctype html><title>{escape(state.name)}</title><h1>{escape(state.name)}</h1><p>{served}</p>"
        f"<pre>{escape(curl)}</pre><p><a href='docs'>every route</a></p>"
    )
