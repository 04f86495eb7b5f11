"""A training's parameter server: how it is set up, and what its shards are told and answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from data_contracts.night import Value

SHARDS = "shards"
"""In a training's folder: a folder of each shard's process."""
STORE = "NIGHTSHIFT_STORE"
"""Variable that says where the hosts of a training meet: host and port of the store, and which meeting, after ``/``."""


class ParameterServerConfig(BaseModel, frozen=True, extra="forbid"):
    """Where rows are learned under `rows: served`: in processes beside those that train."""

    mode: Literal["hybrid", "sync", "bounded", "async"] = Field(
        "hybrid",
        description="Who learns the layers, and when: under `hybrid` the trainers, who add their gradients; under the "
        "others the server, beside the rows. Trainers step together under `hybrid` and `sync`; under `bounded` and "
        "`async` each takes whole batches, as many as it can, and waits for others as `staleness` says, or never.",
    )
    shards: PositiveInt = Field(1, description="Processes that rows are dealt to; hosts take them in turn.")
    staleness: NonNegativeInt = Field(
        0,
        description="How far steps may be apart that are worked on at once: a step reads what all before it have left "
        "but so many. Under `hybrid` 0, as exact as without a server, or 1: the next batch's rows come while the one "
        "before is computed. Under `bounded` 1 or more.",
    )

    def problems(self) -> Iterable[str]:
        """Say what does not go together."""
        least, most = _STALENESS[self.mode]
        if not least <= self.staleness <= most:
            wanted = f"{least}" if least == most else f"{least} or {most}" if most == 1 else f"{least} or more"
            yield f"server.staleness is {self.staleness}, and under mode `{self.mode}` it is {wanted}."

    @property
    def leases(self) -> bool:
        """Whether each trainer takes whole batches, as many as it can."""
        return self.mode in {"bounded", "async"}


_STALENESS = {"hybrid": (0, 1), "sync": (0, 0), "bounded": (1, math.inf), "async": (0, 0)}


class ShardJob(Value):
    """Hold every ``shards``-th row of a training, until nobody wants it any more."""

    store: str = Field(description="Where the hosts of the training meet, see `STORE`.")
    host: str = Field(description="Address to listen on.")
    rank: NonNegativeInt
