"""``POST /v2/models/<name>/generate_stream``: an answer in pieces, server-sent events; Triton's generate extension.

A body is one request, column by column: ``{"column": value, ...}``, of which any may stand under ``parameters``. Each
piece is an event, ``data: {"model_name": ..., "model_version": ..., "column": value}``, and the answer's end is that of
the body. Whatever is wrong before the first piece has a status of its own; after it an event says ``{"error": ...}``.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from kserve import InferInput
from starlette.types import Receive, Scope, Send

from data_contracts.binary import with_bytes
from data_contracts.serving import STREAMED
from models.serving.infer import body_for
from models.serving.inference import FAULT, ServingDataPlane
from models.serving.streaming import Stream, begin
from models.serving.tensors import TensorError, asking

logger = logging.getLogger(__name__)

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Gateways pass each event on at once."""


def generate(dataplane: ServingDataPlane) -> APIRouter:
    """Build the routes, one of which names the version. A body is JSON, whatever its content type."""
    router = APIRouter(tags=["V2"])

    @router.post(STREAMED.format(name="{model_name}"))
    @router.post(STREAMED.format(name="{model_name}/versions/{version}"), include_in_schema=False)
    async def stream(request: Request, model_name: str) -> Response:
        body = await body_for(dataplane, request, model_name)
        version = request.path_params.get("version")
        return EventStream(await begin(dataplane.model, version, lambda schema: _tensors(body, schema)), model_name)

    return router


class EventStream(StreamingResponse):
    """Sends a stream; one that is broken off is closed."""

    def __init__(self, stream: Stream, model_name: str) -> None:
        super().__init__(_events(stream, model_name), headers=HEADERS, media_type="text/event-stream")
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


async def _events(stream: Stream, model_name: str) -> AsyncIterator[bytes]:
    told = {"model_name": model_name, "model_version": stream.version}
    try:
        async for piece in stream:
            for row in piece.to_pylist():
                yield _event(told | row)
    except Exception:  # the boundary of a request: its status is sent already
        logger.exception("%s version %s failed within a stream", model_name, stream.version)
        yield _event({"error": FAULT})


def _event(said: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(said, default=lambda value: base64.b64encode(value).decode())


def _tensors(body: bytes, schema: pa.Schema) -> Sequence[InferInput]:
    """Return the tensors of a request that is told column by column.

    Raises:
        TensorError: It is no JSON, or empty, or a column is unknown, or no list where one is wanted.
    """
    try:
        told = orjson.loads(body)
        given = {**told.pop("parameters", {}), **told}
        of_bytes = {field.name for field in schema if pa.types.is_binary(field.type)} & given.keys()
        given |= with_bytes({name: given[name] for name in of_bytes})
    except (ValueError, TypeError, AttributeError) as error:
        raise TensorError(f"the body is no JSON object of columns: {error}") from error
    wanted = f"wanted some of {', '.join(schema.names)}"
    problems = [f"{name!r}: unknown, {wanted}" for name in given if name not in schema.names]
    for field in schema:
        if pa.types.is_list(field.type) and not isinstance(given.get(field.name), list | None):
            problems.append(f"{field.name!r}: {given[field.name]!r:.40}, wanted a list")
    problems += [f"{name!r}: an object, wanted a value" for name, value in given.items() if isinstance(value, dict)]
    if all(value is None for value in given.values()):
        problems.append(f"nothing is asked, {wanted}")
    if problems:
        raise TensorError("; ".join(problems) + ".")
    return [InferInput(**tensor) for tensor in asking(given, schema)["inputs"]]
