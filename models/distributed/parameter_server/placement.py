"""Which process stands for which shard: the shard map of a training, in the store where its hosts meet.

Every change of the map makes its `epoch` higher, by compare-and-set, so of two that want to change it one is first.
Every message between trainers and shards carries the epoch, and a shard refuses those of an older one. A shard that
hears of a newer one reads the map: it goes on in its new part, or stops if it has none any more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta

from pydantic import NonNegativeInt
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from data_contracts.night import Value
from data_contracts.parameter_server import STORE
from models.distributed.parameter_server.errors import GoneError, OtherEpochError

WAIT = timedelta(seconds=120)
"""How long a shard may take to start."""
PAUSE = 0.05
"""Seconds between two looks at the map."""


class Placement(Value):
    """The shard map.

    Attributes:
        epoch: Higher with every change.
        start: Epoch in which trainers started last: those of an earlier start have no say.
        origin: Epoch in which shards began to learn, from what trainers gave them.
        shards: Endpoints of each: the first answers trainers, those after it hold the same.
    """

    epoch: NonNegativeInt
    start: NonNegativeInt
    origin: NonNegativeInt
    shards: tuple[tuple[str, ...], ...]

    def having(self, rank: int, endpoints: Sequence[str]) -> Placement:
        """Return the next one, in which these stand for a shard."""
        shards = (*self.shards[:rank], tuple(endpoints), *self.shards[rank + 1 :])
        return self.model_copy(update={"epoch": self.epoch + 1, "shards": shards})


class Directory:
    """The shard map of one meeting of hosts, as all its processes see it.

    Args:
        place: See `STORE`.
        held: The store, in the process that has it.
    """

    def __init__(self, place: str, held: TCPStore | None = None) -> None:
        endpoint, _, self._meeting = place.partition("/")
        host, port = endpoint.rsplit(":", 1)
        self._store = held or TCPStore(host, int(port), is_master=False, timeout=WAIT)

    @classmethod
    def of_this_training(cls) -> Directory:
        """Return the one that this process was told of.

        Raises:
            ValueError: It was told of none.
        """
        if STORE not in os.environ:
            raise ValueError(
                "rows: served, and no shards beside this training: they are started by a night, or on a Dask cluster. "
                "Take rows: local or sharded where it trains alone."
            )
        return cls(os.environ[STORE])

    def come(self, rank: int, replica: int, endpoint: str) -> list[str]:
        """Say where a shard's process listens; return where those did that it was started for again."""
        key = self._key(f"shard-{rank}-{replica}")
        before = self._store.get(key).decode().split() if self._store.check([key]) else []
        self._store.set(key, " ".join([*before, endpoint]))
        return before

    def now(self) -> Placement | None:
        """Return the map; None before the first training has begun.

        Raises:
            GoneError: The store does not answer.
        """
        try:
            if not self._store.check([self._key("map")]):
                return None
            return Placement.model_validate_json(self._store.get(self._key("map")))
        except RuntimeError as error:
            raise GoneError(f"the store where shards say where they are does not answer: {error}") from error

    def change(self, before: Placement | None, after: Placement) -> Placement:
        """Have another map, if nobody else has changed it; return the one that is there."""
        expected = "" if before is None else before.model_dump_json()
        found = self._store.compare_set(self._key("map"), expected, after.model_dump_json())
        return Placement.model_validate_json(found)

    def start(self, shards: int, replicas: int) -> Placement:
        """Return the map of trainers that start: no shard listens to those before them any more.

        Raises:
            TimeoutError: A shard did not come.
        """
        while True:
            now = self.now()
            epoch = now.epoch + 1 if now else 1
            placed = now.shards if now else self._gathered(shards, replicas)
            after = Placement(epoch=epoch, start=epoch, origin=now.origin if now else epoch, shards=placed)
            if self.change(now, after) == after:
                return after

    def _gathered(self, shards: int, replicas: int) -> tuple[tuple[str, ...], ...]:
        keys = [[self._key(f"shard-{rank}-{replica}") for replica in range(replicas)] for rank in range(shards)]
        try:
            return tuple(tuple(self._store.get(key).decode().split()[-1] for key in row) for row in keys)
        except RuntimeError as error:  # torch's own says which key it waited for
            raise TimeoutError(
                f"a shard of the parameter server did not say where it is in {WAIT.seconds} s; logs are in the "
                f"training's folder, shards. ({error})"
            ) from error

    def begin(self, placement: Placement) -> Placement:
        """Return the map once it says that shards learn from here on: what they held before is of no use any more.

        Raises:
            OtherEpochError: Trainers have started anew meanwhile.
        """
        while True:
            now = self.now()
            if now is None or now.start != placement.start:
                raise OtherEpochError(f"trainers have started anew, after placement {placement.epoch}.")
            after = now.model_copy(update={"epoch": now.epoch + 1, "origin": now.epoch + 1})
            if self.change(now, after) == after:
                return after

    def without(self, rank: int, endpoint: str) -> Placement:
        """Return the map once a process is not the first of a shard any more, if another one can be it."""
        while True:
            now = self.now()
            assert now is not None, "whoever lost a shard has found it there"
            first, *others = now.shards[rank]
            if first != endpoint or not others:
                return now
            self.change(now, now.having(rank, others))

    def _key(self, name: str) -> str:
        return f"parameter-server/{self._meeting}/{name}"


def pause() -> None:
    """Wait a moment for the map to change."""
    time.sleep(PAUSE)
