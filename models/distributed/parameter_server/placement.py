"""Where the shards of a training are: each says so in the store where its hosts meet, for their meeting alone."""

from __future__ import annotations

import os
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from data_contracts.parameter_server import STORE

EPOCH = "parameter-server/epoch"
WAIT = timedelta(seconds=120)
"""How long a shard may take to start."""


def settle(place: str, rank: int, endpoint: str) -> None:
    """Say where a shard is.

    Args:
        place: See `STORE`.
        rank: Of the shard.
        endpoint: Its host and port.
    """
    store, meeting = _meet(place)
    store.set(_key(meeting, rank), endpoint)


def placed(shards: int) -> tuple[int, list[str]]:
    """Return where all shards are, once all have said it, and a number for this start, higher than any before.

    Raises:
        ValueError: This training has no store where shards could say it.
        TimeoutError: A shard did not come.
    """
    if STORE not in os.environ:
        raise ValueError(
            "rows: served, and no shards beside this training: they are started by a night, or on a Dask cluster. Take "
            "rows: local or sharded where it trains alone."
        )
    store, meeting = _meet(os.environ[STORE])
    found = []
    for rank in range(shards):
        try:
            found.append(store.get(_key(meeting, rank)).decode())
        except RuntimeError as error:  # torch's own says which key it waited for
            raise TimeoutError(
                f"shard {rank} of {shards} did not say where it is in {WAIT.seconds} s; its log is in the training's "
                f"folder, shards/{rank}/log.txt. ({error})"
            ) from error
    return int(store.add(EPOCH, 1)), found


def _meet(place: str) -> tuple[TCPStore, str]:
    endpoint, _, meeting = place.partition("/")
    host, port = endpoint.rsplit(":", 1)
    return TCPStore(host, int(port), is_master=False, timeout=WAIT), meeting


def _key(meeting: str, rank: int) -> str:
    return f"parameter-server/{meeting}/shard-{rank}"
