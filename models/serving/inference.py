"""The KServe SDK's data plane around the versions of one registered model: what REST and gRPC both ask.

The SDK's own answers are kept where they are right. Here it learns that a server without a model is not ready, that a
model has a version, that models come and go by staging only, and that a request that cannot be decoded is bad, not a
fault of the server.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import orjson
from kserve import InferOutput, InferRequest, InferResponse, ModelRepository
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.errors import InferenceError, InvalidInput, ModelNotReady
from kserve.model import InferenceModel, InferenceVerb
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.v2_datamodels import InferenceRequest

from models.serving.registry import Loaded
from models.serving.tensors import Output, metadata, to_outputs, to_rows
from models.serving.versions import Versions
from models.use_case import Predictor

FAULT = "internal error; the server's log says more."
"""Said to a client when the server is at fault."""


class ServedModel(InferenceModel):  # type: ignore[misc]
    """Answers with whatever version is served at the moment a request comes in.

    Args:
        versions: Say which that is.
        threads: Where requests are decoded and predictors compute; its size is how many do at once.
        max_batch: Most requests in one call.
    """

    def __init__(self, versions: Versions, threads: ThreadPoolExecutor, *, max_batch: int) -> None:
        super().__init__(versions.registry.name)
        self.versions = versions
        self.threads = threads
        self._max_batch = max_batch

    async def healthy(self) -> bool:
        """Whether a version is served."""
        return self.versions.held.served is not None

    def load(self) -> bool:
        """Do nothing: the SDK calls this on a model that is not ready, and versions are staged."""
        return self.versions.held.served is not None

    def asked(self, version: str | None) -> Loaded:
        """Return what answers a request, which may name a version.

        Raises:
            ModelNotReady: No version is served.
            InvalidInput: Another version than the one named is served.
        """
        served = self.versions.held.served
        if served is None:
            raise ModelNotReady(self.name, "No version is in service yet.")
        if version not in {None, "", served.version}:
            raise InvalidInput(f"version {version!r} was asked for, version {served.version!r} is served.")
        return served

    async def __call__(
        self,
        body: InferRequest,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        verb: InferenceVerb = InferenceVerb.PREDICT,  # noqa: ARG002
    ) -> tuple[InferResponse, dict[str, str]]:
        """Answer one call.

        Raises:
            ModelNotReady: No version is served.
            InvalidInput: The request is not to the predictor's schema, or asks for a version that is not served.
        """
        served = self.asked(body.model_version)
        try:
            outputs = await asyncio.get_running_loop().run_in_executor(
                self.threads, self._outputs, served.predictor, body
            )
        except ValueError as error:
            raise InvalidInput(str(error)) from error
        response = InferResponse(
            response_id=body.id or uuid4().hex,
            model_name=self.name,
            model_version=served.version,
            infer_outputs=outputs,
            requested_outputs=body.request_outputs,
            use_binary_outputs=body.use_binary_outputs,
        )
        return response, {}

    def _outputs(self, predictor: Predictor, body: InferRequest) -> list[InferOutput]:
        """Decode, predict and encode; takes a thread for as long as it takes."""
        requests = to_rows(body.inputs, predictor.request_schema, max_batch=self._max_batch)
        answers = to_outputs(predictor.predict(requests))
        return [encoded(output, binary=body.from_grpc) for output in answers]

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe a request's tensors; nothing while no version is served."""
        served = self.versions.held.served
        return [] if served is None else metadata(served.predictor.request_schema)

    def get_output_types(self) -> list[dict[str, Any]]:
        """Describe an answer's tensors; nothing while no version is served."""
        served = self.versions.held.served
        return [] if served is None else metadata(served.predictor.answer_schema)


def encoded(output: Output, *, binary: bool) -> InferOutput:
    """Hand a tensor to the SDK, which encodes arrays for REST itself, and trips over them for gRPC."""
    encoded = InferOutput(output.name, list(output.values.shape), output.datatype, data=output.values)
    if binary:
        encoded.set_data_from_numpy(output.values, binary_data=True)
    return encoded


class ServingDataPlane(DataPlane):  # type: ignore[misc]
    """The data plane of one model."""

    def __init__(self, model: ServedModel) -> None:
        repository = ModelRepository()
        repository.update(model)
        super().__init__(model_registry=repository)
        self.model = model

    async def ready(self) -> bool:
        """Whether a version is served."""
        return await self.model.healthy()

    def metadata(self) -> dict[str, Any]:
        """Describe the server; the SDK's repository extension is not offered."""
        return {**super().metadata(), "name": "nightshift", "extensions": []}

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Describe the model, with the version served."""
        served = self.model.versions.held.served
        versions = [] if served is None else [served.version]
        return {**await super().model_metadata(model_name), "platform": "nightshift", "versions": versions}

    def decode(
        self,
        body: Any,  # noqa: ANN401
        headers: Mapping[str, str],
        protocol_version: str = "v2",
        model_name: str | None = None,
    ) -> tuple[InferRequest, dict[str, Any]]:
        """Decode a body of REST.

        Raises:
            InvalidInput: It cannot be decoded.
        """
        try:
            decoded: tuple[InferRequest, dict[str, Any]] = super().decode(body, headers, protocol_version, model_name)
        except (KeyError, TypeError, ValueError, AttributeError, struct.error, InferenceError) as error:
            raise InvalidInput(f"the body cannot be decoded: {type(error).__name__}: {error}") from error
        for name, value, kind in (("id", decoded[0].id, str), ("parameters", decoded[0].parameters, dict)):
            if value is not None and not isinstance(value, kind):
                raise InvalidInput(f"{name} is {value!r:.40}, which the protocol does not allow.")
        return decoded

    def decode_inference_request(
        self, body: bytes | InferenceRequest, headers: Mapping[str, str], model_name: str
    ) -> InferRequest:
        """Decode a body of the protocol; in one whose tensors follow its JSON bytes stay bytes."""
        if isinstance(body, bytes) and INFERENCE_CONTENT_LENGTH_HEADER in headers:
            return _with_tensors_behind(body, int(headers[INFERENCE_CONTENT_LENGTH_HEADER]), model_name)
        return super().decode_inference_request(body, headers, model_name)


def _with_tensors_behind(body: bytes, json_bytes: int, model_name: str) -> InferRequest:
    """Have the SDK read the JSON, and give each tensor its bytes: it would make text of those, and fail on others."""
    told = orjson.loads(body[:json_bytes])
    tensors: list[bytes | None] = [None] * len(told["inputs"])
    start = json_bytes
    for number, each in enumerate(told["inputs"]):
        size = (each.get("parameters") or {}).get("binary_data_size")
        if size is not None and each.get("data") is None:
            each["data"] = []
            tensors[number] = body[start : start + size]
            start += size
    head = orjson.dumps(told)
    request = InferRequest.from_bytes(head, len(head), model_name)
    for each, tensor in zip(request.inputs, tensors, strict=True):
        if tensor is not None:
            each.data, each._raw_data = None, tensor
    return request


class NoRepository(ModelRepositoryExtension):  # type: ignore[misc]
    """Refuses what the SDK offers to anyone: loading and unloading the model."""

    async def load(self, model_name: str) -> None:
        """Refuse."""
        raise InvalidInput(f"model {model_name!r}: versions are staged and switched by their operator, not loaded.")

    async def unload(self, model_name: str) -> None:
        """Refuse."""
        raise InvalidInput(f"model {model_name!r}: versions are staged and switched by their operator, not unloaded.")
