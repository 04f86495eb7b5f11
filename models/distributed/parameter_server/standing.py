"""How a shard's process that was started again comes to hold what the shard holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from models.distributed.parameter_server.declared import Rules
from models.distributed.parameter_server.errors import ParameterServerError
from models.distributed.parameter_server.keeper import Keeper
from models.distributed.parameter_server.line import Line, Question
from models.distributed.parameter_server.placement import WAIT, Placement, pause
from models.distributed.parameter_server.service import ShardService
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import StreamTold

FOLLOW_SECONDS = 600.0
"""How long it may take to be told all that a shard holds."""

logger = logging.getLogger(__name__)


def stand(service: ShardService, before: Sequence[str], keeper: Keeper) -> None:
    """Follow who stands for the shard, or stand for it: with its snapshot, or with nothing, as trainers are told then.

    Args:
        service: Of this process.
        before: Where those listened that it was started for again: they have ended.
        keeper: Of this shard's snapshots.

    Raises:
        ParameterServerError: Who stands for the shard does not answer, or cannot be followed.
    """
    rank, directory = service.follower.rank, service.follower.directory
    began = time.monotonic()
    while (now := directory.now()) is not None and service.endpoint not in now.shards[rank]:
        for endpoint in before:
            now = directory.without(rank, endpoint)
        first = now.shards[rank][0]
        if first in before:
            _be_first(service, now, keeper)
            break
        try:
            _follow(service, first, rank)
        except ParameterServerError as error:
            logger.info("%s cannot be followed yet: %s", first, error)
            if time.monotonic() - began > WAIT.total_seconds():
                raise
            service.shard = ParameterShard(Rules(epoch=0, rank=rank))
            pause()
    service.follower.place()


def _be_first(service: ShardService, now: Placement, keeper: Keeper) -> None:
    rank, directory = service.follower.rank, service.follower.directory
    keeper.restore(now.origin, len(now.shards))
    while now.shards[rank][0] != service.endpoint:
        now = directory.change(now, now.having(rank, (service.endpoint,)))


def _follow(service: ShardService, first: str, rank: int) -> None:
    told = StreamTold(trainer=f"shard {rank}", numbers="float64")
    line = Line(first, told, seconds=FOLLOW_SECONDS, token=service.follower.token)
    question = Question({"do": "follow", "endpoint": service.endpoint}, {})
    try:
        line.ask(question, service.shard.epoch)
        line.wait(question)
    finally:
        line.close()
    if question.error is not None:
        raise question.error
