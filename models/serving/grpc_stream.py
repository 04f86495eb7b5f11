"""``ModelStreamInfer`` over gRPC: requests in, pieces of answers out, as Triton's extension of the protocol has it.

The KServe SDK has no such method and no message for it, and cannot be in one process with Triton's. So the message is
described here.

The requests of a call are answered one after the other. The last piece of an answer has the parameter
``triton_final_response``: so each is sent when the next one is known, and an answer without a piece is that parameter
alone. A request that cannot be answered gets an ``error_message``, and the call goes on.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pyarrow as pa
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from kserve import InferRequest, InferResponse
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.grpc.grpc_predict_v2_pb2 import DESCRIPTOR, ModelInferRequest, ModelInferResponse
from kserve.protocol.grpc.servicer import InferenceServicer

from models.serving.inference import FAULT, ServingDataPlane, encoded
from models.serving.streaming import NotStreamedError, Stream, begin
from models.serving.tensors import to_outputs

logger = logging.getLogger(__name__)

FINAL = "triton_final_response"


def _message() -> Any:  # noqa: ANN401, a class that protobuf makes
    file = FileDescriptorProto(
        name="nightshift_stream.proto", package="inference", syntax="proto3", dependency=[DESCRIPTOR.name]
    )
    message = file.message_type.add(name="ModelStreamInferResponse")
    one = FieldDescriptorProto.LABEL_OPTIONAL
    message.field.add(name="error_message", number=1, type=FieldDescriptorProto.TYPE_STRING, label=one)
    answer, kind = ".inference.ModelInferResponse", FieldDescriptorProto.TYPE_MESSAGE
    message.field.add(name="infer_response", number=2, type=kind, type_name=answer, label=one)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelStreamInferResponse"))


ModelStreamInferResponse = _message()


def add_streams(server: grpc.aio.Server, dataplane: ServingDataPlane) -> None:
    """Have a server that is not started yet answer ``ModelStreamInfer``."""

    def converse(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        call = _Call(dataplane)
        context.add_done_callback(lambda _: call.close())
        return call.answers(requests)

    method = grpc.stream_stream_rpc_method_handler(
        converse, ModelInferRequest.FromString, ModelStreamInferResponse.SerializeToString
    )
    service = "inference.GRPCInferenceService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"ModelStreamInfer": method})])


class _Call:
    """One call of the method, which may end at any time."""

    def __init__(self, dataplane: ServingDataPlane) -> None:
        self._dataplane = dataplane
        self._stream: Stream | None = None

    def close(self) -> None:
        """End what is under way."""
        if self._stream is not None:
            self._stream.close()

    async def answers(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Yield the pieces of one answer after the other.

        Raises:
            NotStreamedError: The version served answers in one piece; that ends the call.
        """
        async for request in requests:
            try:
                self._stream = await self._begun(request)
                async for piece, is_last in _marked(self._stream):
                    yield ModelStreamInferResponse(infer_response=_response(request, self._stream, piece, is_last))
            except NotStreamedError:
                raise
            except (InvalidInput, ModelNotFound, ModelNotReady) as error:
                yield _refusal(request, str(error))
            except Exception:  # the boundary of a request: the call may have others
                logger.exception("%s failed within a stream", request.model_name)
                yield _refusal(request, FAULT)
            finally:
                self.close()

    async def _begun(self, request: Any) -> Stream:  # noqa: ANN401
        InferenceServicer.validate_grpc_request(request)
        body = InferRequest.from_grpc(request)
        model = await self._dataplane.get_model(request.model_name)
        return await begin(model, body.model_version, lambda _: body.inputs)


async def _marked(stream: Stream) -> AsyncIterator[tuple[pa.Table | None, bool]]:
    """Yield each piece, and whether it is the last; None where there is no piece at all."""
    held = None
    try:
        async for piece in stream:
            if held is not None:
                yield held, False
            held = piece
    except Exception:
        if held is not None:
            yield held, False
        raise
    yield held, True


def _response(request: Any, stream: Stream, piece: pa.Table | None, is_last: bool) -> ModelInferResponse:  # noqa: ANN401, FBT001
    outputs = [] if piece is None else [encoded(output, binary=True) for output in to_outputs(piece)]
    return InferResponse(
        response_id=request.id,
        model_name=request.model_name,
        model_version=stream.version,
        infer_outputs=outputs,
        parameters={FINAL: is_last},
    ).to_grpc()


def _refusal(request: Any, reason: str) -> Any:  # noqa: ANN401
    refused = InferResponse(request.id, request.model_name, [], parameters={FINAL: True})
    return ModelStreamInferResponse(error_message=reason, infer_response=refused.to_grpc())
