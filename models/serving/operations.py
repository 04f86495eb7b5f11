"""What the server's operator may do, by a socket of its own; and what everybody may see: what is served."""

from __future__ import annotations

import json
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from html import escape
from shlex import quote
from threading import Thread

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from data_contracts.binary import with_bytes
from data_contracts.serving import OPERATIONS, ServerState, VersionWanted, curl_for_pieces
from models.serving.registry import Loaded, VersionError
from models.serving.tensors import asking
from models.serving.versions import Versions
from models.use_case import StreamingPredictor


def state(versions: Versions) -> APIRouter:
    """Build what says what is served: the state of `data_contracts.serving`, and ``GET /`` for people."""
    router = APIRouter(tags=["state"])

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page(request: Request) -> str:
        return _page(versions.registry.name, versions.held.served, str(request.base_url))

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

    @router.post(f"{path}/renew")
    async def renew(wanted: VersionWanted) -> ServerState:
        await wrap_future(in_background(lambda: versions.renew(wanted.version, wanted.digest)))
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


def _page(name: str, served: Loaded | None, url: str) -> str:
    said, curl = "No version is in service yet: the next night that promotes one puts it here.", ""
    if served:
        said = f"Version <b>{escape(served.version)}</b> answers, since {served.since:%F %T} UTC."
        body = quote(json.dumps(asking(with_bytes(served.example), served.predictor.request_schema)))
        asked = f"curl {url}v2/models/{name}/infer -H 'Content-Type: application/json' -d {body}"
        curl = f"<pre>{escape(asked)}</pre>"
        if isinstance(served.predictor, StreamingPredictor):
            curl += f"<p>In pieces:</p><pre>{escape(curl_for_pieces(url, name, served.example))}</pre>"
    return (
        f"<!doctype html><title>{escape(name)}</title><h1>{escape(name)}</h1><p>{said}</p>{curl}"
        "<p><a href='docs'>every route</a></p>"
    )
