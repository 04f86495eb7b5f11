"""REST: the Open Inference Protocol v2, metrics and a page for people; and, by a socket, operations."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady, ServerNotReady
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.serving.generate import generate
from models.serving.infer import infer
from models.serving.inference import FAULT, NoRepository, ServingDataPlane
from models.serving.metrics import metrics
from models.serving.operations import operations, state
from models.serving.registry import NoSuchVersionError, RegistryFailedError, VersionError
from models.serving.versions import Versions

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    InvalidInput: 400,
    ModelNotFound: 404,
    NoSuchVersionError: 404,
    VersionError: 409,
    RegistryFailedError: 503,
    NotImplementedError: 501,
    ModelNotReady: 503,
    ServerNotReady: 503,
}


def rest_app(dataplane: ServingDataPlane, *, max_bytes: int, trusted_hosts: Sequence[str]) -> FastAPI:
    """Build the application for whoever asks.

    Args:
        dataplane: Answers.
        max_bytes: Largest body of a request.
        trusted_hosts: Names by which the server is called; a request to any other is refused, as a page of a stranger
            may have had it sent (DNS rebinding).
    """
    app = FastAPI(title="Nightshift", docs_url="/docs", redoc_url=None)
    app.include_router(infer(dataplane))  # before the SDK's route of that path: the first one that fits is taken
    app.include_router(generate(dataplane))
    register_v2_endpoints(app, dataplane, NoRepository(dataplane.model_registry))
    app.include_router(state(dataplane.model.versions))
    app.include_router(metrics(dataplane.model.versions))
    app.add_middleware(BodyLimit, max_bytes=max_bytes)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=trusted_hosts, www_redirect=False)
    app.add_middleware(Heads)
    return _refusing(app)


def operations_app(versions: Versions) -> FastAPI:
    """Build the application for the server's operator."""
    app = FastAPI(title="Nightshift, operations", docs_url=None, redoc_url=None)
    app.include_router(operations(versions))
    return _refusing(app)


def _refusing(app: FastAPI) -> FastAPI:
    for error, status in STATUS.items():
        app.add_exception_handler(error, _refusal(status))
    app.add_exception_handler(RequestValidationError, _not_to_schema)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)
    return app


def _refusal(status: int) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def refuse(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status)

    return refuse


async def _not_to_schema(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
    return JSONResponse({"error": "; ".join(problems)}, 400)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _fault(request: Request, error: Exception) -> JSONResponse:
    """Answer when the server is at fault; uvicorn logs the traceback."""
    logger.error("%s %s: %r", request.method, request.url.path, error)
    return JSONResponse({"error": FAULT}, 500)


class Heads:
    """Answers HEAD as GET, without the body, which uvicorn leaves out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self.app({**scope, "method": "GET"} if is_head else scope, receive, send)


class BodyLimit:
    """Refuses bodies that are too large: what is beyond the limit is read and dropped, so that the client hears why."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; reading more of it than allowed ends in status 413."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                while message.get("more_body"):
                    message = await receive()
                raise HTTPException(413, f"the body is larger than {self.max_bytes:,} bytes; ask in smaller batches.")
            return message

        await self.app(scope, limited, send)
