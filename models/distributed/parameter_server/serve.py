"""The shards of one host: ``python -m models.distributed.parameter_server.serve job.json``, until it is ended.

Each is a fork of this process, which imports and compiles once what all need, so a shard that was killed is back at
once. Then another process may hold the same: it stands for the shard, and the new one learns from it, and follows. If
none does, the new one reads the shard's snapshot. Without any, trainers are told, and go back to their last checkpoint.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from pathlib import Path

import torch

from data_contracts.parameter_server import Seat, ShardJob, token_of
from data_contracts.process import call, die_with_parent, main
from models.distributed.parameter_server.compiled import compile_now
from models.distributed.parameter_server.keeper import Keeper
from models.distributed.parameter_server.metrics import serve_metrics
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.service import ShardService
from models.distributed.parameter_server.standing import stand

KILLED = "killed: if the kernel did it for lack of memory, raise train.parallelism.server.shards"

LOOK_SECONDS = 1.0
"""How often a shard looks whether it has still a part."""

logger = logging.getLogger(__name__)


def serve(job: ShardJob) -> None:
    """Have shards, and start again those that end, as often as they may; never returns."""
    torch.set_num_threads(1)
    compile_now()
    seats = {_forked(job, seat): seat for seat in job.seats}
    restarts = 0
    while True:
        number, status = os.wait()
        seat, restarts = seats.pop(number), restarts + 1
        code = os.waitstatus_to_exitcode(status)
        logger.error("%s ended with exit code %s%s", seat, code, f" ({KILLED})" if code == -signal.SIGKILL else "")
        if restarts > job.max_restarts:
            sys.exit(f"{seat} is not started again: train.parallelism.max_restarts is {job.max_restarts}")
        seats[_forked(job, seat)] = seat


def _forked(job: ShardJob, seat: Seat) -> int:
    parent = os.getpid()
    number = os.fork()
    if number:
        return number
    try:
        die_with_parent(parent)
        call(str(seat))
        be(job, seat)
    except BaseException:  # noqa: BLE001, a fork must not go on as its parent
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def be(job: ShardJob, seat: Seat) -> None:
    """Be a shard's process, as long as it has a part.

    Raises:
        GoneError: The store where shards say where they are is gone.
        SystemExit: It has none any more.
    """
    directory = Directory(job.store)
    service = ShardService(job.host, seat.rank, directory, token_of(job.token_from))
    keeper = Keeper(service, Path(job.snapshots), job.snapshot_seconds)
    before = directory.come(seat.rank, seat.replica, service.endpoint)
    if before:
        stand(service, before, keeper)
    keeper.start()
    if job.metrics_port:
        serve_metrics(service, job.host, job.metrics_port + seat.rank * job.replicas + seat.replica)
    while not service.follower.deposed.wait(LOOK_SECONDS):
        service.follower.place()
        if before and not service.follower.has_a_part:  # it was killed before the first training had begun
            stand(service, before, keeper)
    sys.exit(f"{seat} stood still, or was cut off: other processes stand for it")


if __name__ == "__main__":
    main(ShardJob, serve)
