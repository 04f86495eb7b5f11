"""What runs in the server's process: REST, gRPC, the threads that compute, and one signal that ends them all."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
import uvicorn
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, MLFLOW_SQLALCHEMYSTORE_POOLCLASS

from models.serving.grpc import grpc_server
from models.serving.inference import ServedModel, ServingDataPlane
from models.serving.operations import in_background
from models.serving.registry import MlflowRegistry, RegistryFailedError
from models.serving.rest import rest_app
from models.serving.versions import Versions

logger = logging.getLogger(__name__)

STOP_SECONDS = 3
"""How long requests under way may take to end once the server is told to."""
AGAIN_SECONDS = 10
"""How long a server without a model waits before it asks a registry that failed again."""


class RestServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: one signal ends REST and gRPC together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield

    def stop(self) -> None:
        """End, letting requests under way finish."""
        self.should_exit = True


async def serve(options: argparse.Namespace, rest_socket: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        options: Of `models.serving.server`.
        rest_socket: Listens for REST.

    Raises:
        OSError: gRPC's port is taken.
    """
    torch.set_num_threads(options.threads)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(value=False)  # type: ignore[no-untyped-call]
    MLFLOW_SQLALCHEMYSTORE_POOLCLASS.set("NullPool")  # type: ignore[no-untyped-call]  # a file kept open may be gone
    versions = Versions(MlflowRegistry(options.tracking_uri, options.name))
    threads = ThreadPoolExecutor(options.workers, thread_name_prefix="predict")
    dataplane = ServingDataPlane(ServedModel(versions, threads, max_batch=options.max_batch))
    app = rest_app(dataplane, max_bytes=options.max_bytes)
    rest = RestServer(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_SECONDS)
    )
    rpc, rpc_port = grpc_server(dataplane, address=f"{options.host}:{options.grpc_port}", max_bytes=options.max_bytes)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, rest.stop)
    await rpc.start()
    addresses = (options.host, rest_socket.getsockname()[1], options.host, rpc_port)
    logger.info("%s: REST on http://%s:%d gRPC on %s:%d", options.name, *addresses)
    in_background(lambda: _serve_champion(versions)).add_done_callback(_say)
    await rest.serve(sockets=[rest_socket])
    await rpc.stop(STOP_SECONDS)
    logger.info("%s: ended", options.name)


def _serve_champion(versions: Versions) -> None:
    """Serve the champion once the registry gives it, unless another version is put in service first."""
    while versions.held.served is None:
        try:
            versions.serve_champion()
        except RegistryFailedError as error:
            logger.warning("nothing is served; asking again in %d s: %s", AGAIN_SECONDS, error)
            time.sleep(AGAIN_SECONDS)
        else:
            break


def _say(champion: Future[None]) -> None:
    error = champion.exception()
    if error is not None:
        logger.error("nothing is served: %s", error)
