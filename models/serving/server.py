"""The model server: ``python -m models.serving.server``; REST and gRPC around KServe's data plane, in one process.

What is heavy is imported once the command line is understood and the port is free.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Sequence

from data_contracts.credentials import require_no_password


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.serving.server",
        description="Serve the champion of one registered model over the Open Inference Protocol v2, REST and gRPC. "
        "Without a champion the server is live, not ready, and waits for one to be staged.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--tracking-uri", required=True, help="MLflow's server or database")
    parser.add_argument("--name", required=True, help="the registered model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--rest-port", type=int, default=8080, help="0 takes any that is free, and the log says which")
    parser.add_argument("--grpc-port", type=int, default=8081, help="0 takes any that is free, and the log says which")
    parser.add_argument(
        "--trusted-hosts",
        default="localhost,127.0.0.1,[::1]",
        help="names by which the server is called, with commas between; * takes any",
    )
    parser.add_argument("--workers", type=int, default=2, help="calls that compute at once")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch inside each of them")
    parser.add_argument("--max-batch", type=int, default=256, help="most requests in one call")
    parser.add_argument("--max-bytes", type=int, default=4 * 2**20, help="largest body or message, bytes")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    # asyncio turns Nagle's delay off (40 ms a request) only on sockets that say they are TCP
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise OSError(f"{host}:{port} cannot be bound: {error.strerror}") from error
    return listening


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as the command line says, until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    try:
        require_no_password(options.tracking_uri)
    except ValueError as error:
        sys.exit(f"--tracking-uri: {error}")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with _listen(options.host, options.rest_port) as rest_socket:
            from models.serving.process import serve

            asyncio.run(serve(options, rest_socket))
    except OSError as error:
        sys.exit(f"the model server cannot start: {error}. End what listens there, or choose another port.")


if __name__ == "__main__":
    main()
