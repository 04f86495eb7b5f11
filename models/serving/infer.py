"""``POST /v2/models/<name>/infer``: bodies are decoded, and answers encoded, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from kserve import InferResponse
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.errors import ModelNotReady
from kserve.protocol.rest.v2_datamodels import InferenceRequest, InferenceResponse
from pydantic import ValidationError

from models.serving.inference import ServingDataPlane


def infer(dataplane: ServingDataPlane) -> APIRouter:
    """Build the route. A body is JSON, whatever its content type, unless the protocol's header says where JSON ends."""
    router = APIRouter(tags=["V2"])

    @router.post("/v2/models/{model_name}/infer")
    async def answer(request: Request, model_name: str) -> Response:
        headers, body = dict(request.headers), await body_for(dataplane, request, model_name)
        beside = asyncio.get_running_loop().run_in_executor
        decoded = await beside(dataplane.model.threads, _decoded, dataplane, body, headers, model_name)
        inferred, _ = await dataplane.infer(model_name=model_name, request=decoded, headers=headers)
        return await beside(dataplane.model.threads, _encoded, inferred)

    return router


async def body_for(dataplane: ServingDataPlane, request: Request, model_name: str) -> bytes:
    """Read a request's body, if there is a model to answer it.

    Raises:
        HTTPException: It is compressed.
        ModelNotFound: There is no model of that name.
        ModelNotReady: No version is served.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise HTTPException(415, f"a body that is {encoding} is not read; send it as it is.")
    if not await dataplane.model_ready(model_name):
        raise ModelNotReady(model_name)
    return await request.body()


def _decoded(dataplane: ServingDataPlane, body: bytes, headers: Mapping[str, str], model_name: str) -> Any:  # noqa: ANN401
    if INFERENCE_CONTENT_LENGTH_HEADER in headers:
        return dataplane.decode(body, headers, model_name=model_name)[0]
    try:
        return dataplane.decode(InferenceRequest.model_validate_json(body), headers, model_name=model_name)[0]
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise HTTPException(400, "; ".join(problems)) from error


def _encoded(inferred: InferResponse) -> Response:
    told, json_bytes = inferred.to_rest()
    if json_bytes is not None:  # tensors in binary follow the JSON
        return Response(told, headers={INFERENCE_CONTENT_LENGTH_HEADER: str(json_bytes)})
    return Response(InferenceResponse.model_validate(told).model_dump_json(), media_type="application/json")
