"""How the trainers of a start meet the shards, and have them begin, or go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import token_of
from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.declared import Rules, Table
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.wire import StreamTold

logger = logging.getLogger(__name__)

Tell = Callable[[Any], Any]
"""Gives every trainer what the first one has."""


def joined(config: ParallelismConfig, told: StreamTold, *, first: bool, tell: Tell) -> tuple[ParameterServer, bool]:
    """Return the shards, for trainers that start now, and whether these go on with what shards have learned.

    Args:
        config: Of the training.
        told: What this trainer says.
        first: Whether it is the first one.
        tell: See there.

    Raises:
        TimeoutError: A shard did not come.
        ValueError: This training has no shards, or this host not their secret.
    """
    server, directory = config.server, Directory.of_this_training()
    placement = tell(directory.start(server.shards, server.replicas) if first else None)
    shards = ParameterServer(directory, placement, told, token=token_of(server.token_from))
    shards.together = not config.leases
    learned = shards.learned() if first and config.leases else 0
    if learned:
        logger.info("shards go on with the %s steps that they have learned since the training began", f"{learned:,}")
    goes_on: bool = tell(learned > 0)
    return shards, goes_on


def have_begun(
    shards: ParameterServer,
    config: ParallelismConfig,
    tables: Sequence[Table],
    step: int,
    *,
    world: int,
    first: bool,
    tell: Tell,
) -> None:
    """Have shards forget what was, and hold these tables, to be learned from a step on.

    Args:
        shards: All of them.
        config: Of the training.
        tables: To be held.
        step: Of the training.
        world: How many trainers there are.
        first: Whether this one is the first.
        tell: See there.
    """
    shards.placement = tell(shards.anew() if first else None)
    if not first:
        return
    server = config.server
    rules = Rules(
        epoch=shards.placement.origin,
        shares=1 if config.leases else world,
        staleness=None if server.mode == "async" else server.staleness,
        compensation=server.compensation,
        forgotten_after=server.forgotten_after,
        taken=step,
    )
    shards.begin(rules)
    shards.declare([each.model_copy(update={"admitted_after": server.admitted_after}) for each in tables])
