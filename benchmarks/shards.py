"""Shards of a parameter server in this process, for trainings that no gang starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from models.distributed.parameter_server.placement import settle
from models.distributed.parameter_server.service import ShardService
from tasks.train.meeting import LOOPBACK


@contextmanager
def shards(count: int) -> Iterator[str]:
    """Have shards, and yield what trainers are told in `STORE`."""
    store = TCPStore(LOOPBACK, 0, is_master=True, wait_for_workers=False)
    place, services = f"{LOOPBACK}:{store.port}", [ShardService(LOOPBACK) for _ in range(count)]
    for rank, service in enumerate(services):
        settle(place, rank, service.endpoint)
    try:
        yield place
    finally:
        for service in services:
            service.shutdown()
