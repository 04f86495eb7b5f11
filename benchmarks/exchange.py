"""One trainer and one shard: rows come and gradients go, by Arrow Flight as shipped, and by torch's RPC.

``python -m benchmarks.exchange flight|rpc in-turn|ahead ROUNDS`` prints how many exchanges a second were done. The
shard has a process of its own, and the same rules either way. In turn, a trainer asks for the rows of a step once it
has sent the gradient of the one before; ahead, before it sends that, as it does with `staleness: 1`.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed import TCPStore, rpc  # type: ignore[attr-defined]

from data_contracts.parameter_server import Seat, ShardJob
from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.compiled import compile_now
from models.distributed.parameter_server.declared import Rules, Table
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.serve import be
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import StreamTold
from tasks.train.meeting import LOOPBACK
from tasks.train.shards import KEEPS_MEMORY

ROWS, WIDTH, COUNT = 4096, 64, 100_000
TABLE = Table(name="item", count=COUNT, width=WIDTH, std=0.1)
WARM_UP = 20
RATE = 0.01

Wait = Callable[[], object]
"""Waits for what was asked for."""


class Transport(NamedTuple):
    """How rows and gradients travel; both return at once.

    Attributes:
        pull: Asks for rows, for a step.
        push: Sends their gradient.
        keeps_order: Whether what is asked for after a push is answered after it, too.
    """

    pull: Callable[[int, Tensor], Wait]
    push: Callable[[int, Tensor, Tensor], Wait]
    keeps_order: bool


_shard = ParameterShard(Rules(epoch=0))
"""Of the process that has one for RPC."""


@contextmanager
def flight(port: int) -> Iterator[Transport]:
    """Exchange as shipped."""
    directory = Directory(f"{LOOPBACK}:{port}")
    placement = directory.start(shards=1, replicas=1)
    server = ParameterServer(directory, placement, StreamTold(trainer="benchmark", numbers="float32"))
    server.begin(Rules(epoch=placement.epoch))
    server.declare([TABLE])

    def pull(step: int, number_U: Tensor) -> Wait:
        return server.pull(step, 0, {TABLE.name: number_U}).result

    def push(step: int, number_U: Tensor, gradient_UD: Tensor) -> Wait:
        sent = server.push(Push(step, 0, {TABLE.name: Gradient(gradient_UD, number_U, RATE)}))
        return lambda: server.wait(sent)

    yield Transport(pull, push, keeps_order=True)
    server.close()


def _pull(step: int, number_U: Tensor) -> Tensor:
    return _shard.pull(step, 0, {TABLE.name: number_U}, epoch=0, seconds=60)[TABLE.name]


def _push(step: int, number_U: Tensor, gradient_UD: Tensor) -> None:
    _shard.push(Push(step, 0, {TABLE.name: Gradient(gradient_UD, number_U, RATE)}), epoch=0)


@contextmanager
def by_rpc(port: int) -> Iterator[Transport]:
    """Exchange by torch's RPC."""
    _join_rpc("trainer", 0, port)

    def pull(step: int, number_U: Tensor) -> Wait:
        return rpc.rpc_async("shard", _pull, (step, number_U)).wait  # type: ignore[no-any-return]

    def push(step: int, number_U: Tensor, gradient_UD: Tensor) -> Wait:
        return rpc.rpc_async("shard", _push, (step, number_U, gradient_UD)).wait  # type: ignore[no-any-return]

    yield Transport(pull, push, keeps_order=False)
    rpc.shutdown()


def _join_rpc(name: str, rank: int, port: int) -> None:
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"tcp://{LOOPBACK}:{port}", _transports=["uv"])
    rpc.init_rpc(name, rank=rank, world_size=2, rpc_backend_options=options)  # type: ignore[no-untyped-call]


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def have_shard(kind: str, port: int) -> None:
    """Be the process of the shard."""
    torch.set_num_threads(1)
    compile_now()
    if kind == "flight":
        seat = Seat(rank=0)
        be(ShardJob(store=f"{LOOPBACK}:{port}", host=LOOPBACK, seats=(seat,)), seat)
    _shard.declare(TABLE, epoch=0)
    _join_rpc("shard", 1, port)
    rpc.shutdown()


def nothing() -> None:
    """Wait for nothing."""


def measured(transport: Transport, rounds: int, *, ahead: bool) -> float:
    """Return exchanges a second."""
    generator = torch.Generator().manual_seed(0)
    numbers = [torch.randperm(COUNT - 1, generator=generator)[:ROWS].sort().values + 1 for _ in range(8)]
    gradient_UD = torch.randn(ROWS, WIDTH, generator=generator)
    began = 0.0
    taken: Wait = nothing
    coming = transport.pull(0, numbers[0])
    for step in range(WARM_UP + rounds):
        if step == WARM_UP:
            began = time.perf_counter()
        number_U, next_U = (numbers[each % len(numbers)] for each in (step, step + 1))
        coming()
        if ahead:
            coming = transport.pull(step + 1, next_U)
        taken()
        taken = transport.push(step, number_U, gradient_UD)
        if not ahead and not transport.keeps_order:
            taken()
        if not ahead:
            coming = transport.pull(step + 1, next_U)
    return rounds / (time.perf_counter() - began)


def main() -> None:
    """Measure one way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["flight", "rpc"])
    parser.add_argument("order", choices=["in-turn", "ahead"])
    parser.add_argument("rounds", type=int)
    parser.add_argument("--shard-at", type=int, help="be the shard's process: port where both meet")
    told = parser.parse_args()
    if told.shard_at:
        have_shard(told.kind, told.shard_at)
        return
    torch.set_num_threads(1)
    store = TCPStore(LOOPBACK, 0, is_master=True, wait_for_workers=False)
    port = store.port if told.kind == "flight" else _free_port()
    command = [sys.executable, "-m", "benchmarks.exchange", told.kind, told.order, "0", "--shard-at", str(port)]
    shard = subprocess.Popen(command, env={**os.environ, **KEEPS_MEMORY})
    try:
        with {"flight": flight, "rpc": by_rpc}[told.kind](port) as transport:
            print(measured(transport, told.rounds, ahead=told.order == "ahead"))
    finally:
        shard.kill()
        shard.wait()


if __name__ == "__main__":
    main()
