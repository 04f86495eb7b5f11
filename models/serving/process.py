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
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, MLFLOW_SQLALCHEMYSTORE_POOLCLASS

from data_contracts.serving import operations_socket
from models.serving.grpc import grpc_server
from models.serving.inference import ServedModel, ServingDataPlane
from models.serving.operations import in_background
from models.serving.registry import MlflowRegistry, RegistryFailedError
from models.serving.rest import operations_app, rest_app
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
        OSError: gRPC's port is taken, or nobody could operate the server.
    """
    torch.set_num_threads(options.threads)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(value=False)  # type: ignore[no-untyped-call]
    MLFLOW_SQLALCHEMYSTORE_POOLCLASS.set("NullPool")  # type: ignore[no-untyped-call]  # a file kept open may be gone
    versions = Versions(MlflowRegistry(options.tracking_uri, options.name))
    threads = ThreadPoolExecutor(options.workers, thread_name_prefix="predict")
    dataplane = ServingDataPlane(ServedModel(versions, threads, max_batch=options.max_batch))
    host = f"[{options.host}]" if ":" in options.host else options.host
    app = rest_app(dataplane, max_bytes=options.max_bytes, trusted_hosts=[host, *options.trusted_hosts.split(",")])
    rest, operator = RestServer(_config(app)), RestServer(_config(operations_app(versions)))
    rpc, rpc_port = grpc_server(dataplane, address=f"{host}:{options.grpc_port}", max_bytes=options.max_bytes)
    rest_port = rest_socket.getsockname()[1]

    def stop() -> None:
        rest.stop()
        operator.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await rpc.start()
    with _operations(operations_socket(rest_port)) as listening:
        logger.info("%s: REST on http://%s:%d gRPC on %s:%d", options.name, host, rest_port, host, rpc_port)
        in_background(lambda: _serve_champion(versions)).add_done_callback(_say)
        await asyncio.gather(rest.serve(sockets=[rest_socket]), operator.serve(sockets=[listening]))
    await rpc.stop(STOP_SECONDS)
    logger.info("%s: ended", options.name)


def _config(app: FastAPI) -> uvicorn.Config:
    """Return how an application is served; what a header says of the client is not believed."""
    return uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_SECONDS, proxy_headers=False
    )


@contextmanager
def _operations(path: Path) -> Iterator[socket.socket]:
    """Listen on a Unix socket for this user alone; one that is there is of a killed server, as its port is ours."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen()
        yield listening
    path.unlink(missing_ok=True)


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
