"""Where the shards of a training are: each says so in the store where its hosts meet."""

from __future__ import annotations

import os
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from data_contracts.parameter_server import STORE

EPOCH = "parameter-server/epoch"
WAIT = timedelta(seconds=300)
"""How long a shard may take to start."""


def meet(endpoint: str | None = None) -> TCPStore:
    """Return the store where the hosts of this training meet."""
    host, port = (endpoint or os.environ[STORE]).rsplit(":", 1)
    return TCPStore(host, int(port), is_master=False, timeout=WAIT)


def settle(store: TCPStore, rank: int, endpoint: str) -> None:
    """Say where a shard is."""
    store.set(_key(rank), endpoint)


def endpoints(store: TCPStore, shards: int) -> list[str]:
    """Return where all shards are; wait for those that did not say it yet."""
    return [store.get(_key(rank)).decode() for rank in range(shards)]


def next_epoch(store: TCPStore) -> int:
    """Return a number that is higher than any before: of a placement of shards, or of a training that begins anew."""
    return int(store.add(EPOCH, 1))


def _key(rank: int) -> str:
    return f"parameter-server/shard-{rank}"
