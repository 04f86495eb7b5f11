"""Shards of a parameter server in processes of their own, for trainings that no gang starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE
from tasks.train.meeting import LOOPBACK
from tasks.train.shards import HostsShards, dealt, serving


@contextmanager
def shards(parallelism: ParallelismConfig, folder: Path | None = None) -> Iterator[tuple[str, HostsShards]]:
    """Have the shards of a training, and yield what trainers are told in `STORE`, and the shards.

    Args:
        parallelism: Of the training.
        folder: Of its shards; one that is removed afterwards when None.
    """
    store = TCPStore(LOOPBACK, 0, is_master=True, wait_for_workers=False)
    place = f"{LOOPBACK}:{store.port}/alone"
    seats = dealt(parallelism, [LOOPBACK])[LOOPBACK]
    with TemporaryDirectory(prefix="shards-") as own:
        environment = {**os.environ, STORE: place}
        with serving(seats, LOOPBACK, folder or Path(own), parallelism, environment) as beside:
            yield place, beside
