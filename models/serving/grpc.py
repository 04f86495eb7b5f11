"""gRPC: the Open Inference Protocol v2, by the KServe SDK's servicer."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import grpc
from grpc import StatusCode
from grpc_interceptor import AsyncExceptionToStatusInterceptor
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady, ServerNotReady
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.servicer import InferenceServicer

from models.serving.grpc_stream import add_streams
from models.serving.inference import FAULT, NoRepository, ServingDataPlane
from models.serving.streaming import NotStreamedError

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], StatusCode] = {
    NotStreamedError: StatusCode.UNIMPLEMENTED,
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    ModelNotFound: StatusCode.NOT_FOUND,
    ModelNotReady: StatusCode.UNAVAILABLE,
    ServerNotReady: StatusCode.UNAVAILABLE,
}


class Refusals(AsyncExceptionToStatusInterceptor):
    """Turns an exception into the status that says whose fault it is; the SDK's own trips over some of them."""

    async def handle_exception(
        self,
        ex: Exception,
        request_or_iterator: Any,  # noqa: ANN401, ARG002
        context: grpc.aio.ServicerContext[Any, Any],
        method_name: str,
    ) -> NoReturn:
        """End the call."""
        status = next((status for kind, status in STATUS.items() if isinstance(ex, kind)), None)
        if status is None:
            logger.error("%s failed", method_name, exc_info=ex)
            await context.abort(StatusCode.INTERNAL, FAULT)
        await context.abort(status, str(ex))
        raise AssertionError("abort raises")


def grpc_server(dataplane: ServingDataPlane, *, address: str, max_bytes: int) -> tuple[grpc.aio.Server, int]:
    """Build a server bound to ``address``.

    Args:
        dataplane: Answers.
        address: ``host:port``; port 0 takes any that is free.
        max_bytes: Largest message in either direction.

    Returns:
        The server, not started, and its port.

    Raises:
        OSError: The port is taken.
    """
    server = grpc.aio.server(
        interceptors=[Refusals()],
        options=[
            ("grpc.so_reuseport", 0),  # else two servers may share a port, and clients meet either
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", max_bytes),
        ],
    )
    servicer = InferenceServicer(dataplane, NoRepository(dataplane.model_registry))
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    add_streams(server, dataplane)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address} cannot be bound: most likely it is taken") from error
    return server, port
