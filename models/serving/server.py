"""The model server: ``python -m models.serving.server``; REST and gRPC around KServe's data plane, in one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
import uvicorn
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR

from models.serving.grpc import grpc_server
from models.serving.inference import ServedModel, ServingDataPlane
from models.serving.operations import in_background
from models.serving.rest import rest_app
from models.serving.versions import MlflowRegistry, Versions

logger = logging.getLogger(__name__)

STOP_SECONDS = 3
"""How long requests under way may take to end once the server is told to."""


class RestServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: one signal ends REST and gRPC together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield

    def stop(self) -> None:
        """End, letting requests under way finish."""
        self.should_exit = True


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: A port is taken.
    """
    torch.set_num_threads(options.threads)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(value=False)  # type: ignore[no-untyped-call]
    versions = Versions(MlflowRegistry(options.tracking_uri, options.name))
    threads = ThreadPoolExecutor(options.workers, thread_name_prefix="predict")
    dataplane = ServingDataPlane(ServedModel(versions, threads, max_batch=options.max_batch))
    app = rest_app(dataplane, max_bytes=options.max_bytes)
    rest = RestServer(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_SECONDS)
    )
    with _bind(options.host, options.rest_port) as rest_socket:
        rpc, rpc_port = grpc_server(
            dataplane, address=f"{options.host}:{options.grpc_port}", max_bytes=options.max_bytes
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, rest.stop)
        await rpc.start()
        rest_port = rest_socket.getsockname()[1]
        logger.info(
            "%s: REST on http://%s:%d gRPC on %s:%d", options.name, options.host, rest_port, options.host, rpc_port
        )
        in_background(versions.serve_champion).add_done_callback(_say)
        await rest.serve(sockets=[rest_socket])
        await rpc.stop(STOP_SECONDS)
    logger.info("%s: ended", options.name)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    # asyncio turns Nagle's delay off (40 ms a request) only on sockets that say they are TCP
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(f"{host}:{port} cannot be bound: {error.strerror}") from error
    return bound


def _say(champion: Future[None]) -> None:
    error = champion.exception()
    if error is not None:
        logger.error("nothing is served: %s", error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.serving.server",
        description="Serve the champion of one registered model over the Open Inference Protocol v2, REST and gRPC. "
        "Without a champion the server is live, not ready, and waits for one to be staged.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--tracking-uri", required=True, help="MLflow's server or database")
    parser.add_argument("--name", required=True, help="the registered model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; this machine only")
    parser.add_argument("--rest-port", type=int, default=8080, help="0 takes any that is free, and the log says which")
    parser.add_argument("--grpc-port", type=int, default=8081, help="0 takes any that is free, and the log says which")
    parser.add_argument("--workers", type=int, default=2, help="calls that compute at once")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch inside each of them")
    parser.add_argument("--max-batch", type=int, default=256, help="most requests in one call")
    parser.add_argument("--max-bytes", type=int, default=4 * 2**20, help="largest body or message, bytes")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as the command line says."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(options))
    except OSError as error:
        sys.exit(f"the model server cannot start: {error}. End what listens there, or choose another port.")


if __name__ == "__main__":
    main()
