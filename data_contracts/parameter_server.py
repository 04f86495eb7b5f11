"""A training's parameter server: how it is set up, and what its shards are told and answer."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

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

    replicas: int = Field(
        1,
        ge=1,
        le=2,
        description="Processes that hold the same shard, on two hosts where there are two. With 2, one of them may be "
        "killed: the other goes on in its place, and nothing that a trainer was told to be learned is lost.",
    )
    snapshot_seconds: NonNegativeFloat = Field(
        60.0,
        description="How often a shard writes down what it has learned. One that is killed, and that no other process "
        "holds, goes on from there: what it learned meanwhile is lost, counted and told. With 0 nothing is written: "
        "all go back to the last checkpoint then, and compute the same as if nothing had happened.",
    )
    travels: Literal["exact", "bfloat16"] = Field(
        "exact",
        description="How numbers go to shards and come from them. As bfloat16 half as much travels; what a gradient "
        "loses by that is added to the next one.",
    )
    token_from: str = Field(
        "",
        description="Variable that has the same secret in the environment of every host: shards then refuse whoever "
        "does not know it. Its value is written nowhere.",
    )
    metrics_port: int = Field(
        0, ge=0, le=65000, description="Port where Prometheus finds the first shard, the next one after it; 0: none."
    )
    compensation: NonNegativeFloat = Field(
        0.0,
        description="Under `bounded` and `async`: how much a late gradient is corrected by what its rows and layers "
        "have moved meanwhile (λ of Zheng et al., 2017).",
    )
    admitted_after: int = Field(
        1, ge=1, le=255, description="Steps that learn from a row before it takes room: until then they are dropped."
    )
    forgotten_after: NonNegativeInt = Field(
        0, description="Steps in which a row has to be learned from, or it reads as at first again; 0: it never does."
    )

    def problems(self) -> Iterable[str]:
        """Say what does not go together."""
        least, most = _STALENESS[self.mode]
        if not least <= self.staleness <= most:
            wanted = f"{least}" if least == most else f"{least} or {most}" if most == 1 else f"{least} or more"
            yield f"server.staleness is {self.staleness}, and under mode `{self.mode}` it is {wanted}."
        if self.compensation and not self.leases:
            yield f"server.compensation is {self.compensation:g}, and under mode `{self.mode}` no gradient is late."
        if self.compensation and self.replicas > 1:
            yield (
                f"server.compensation is {self.compensation:g}, and server.replicas {self.replicas}: only one process "
                "of a shard knows what trainers have read. Leave one of them out."
            )

    @property
    def leases(self) -> bool:
        """Whether each trainer takes whole batches, as many as it can."""
        return self.mode in {"bounded", "async"}


_STALENESS = {"hybrid": (0, 1), "sync": (0, 0), "bounded": (1, math.inf), "async": (0, 0)}


class Seat(Value):
    """One process of a shard."""

    rank: NonNegativeInt
    replica: NonNegativeInt = 0

    def __str__(self) -> str:
        return f"shard {self.rank}" + (f" copy {self.replica}" if self.replica else "")


class ShardJob(Value):
    """Hold shards of a training on a host, until nobody wants them any more."""

    store: str = Field(description="Where the hosts of the training meet, see `STORE`.")
    host: str = Field(description="Address to listen on.")
    seats: tuple[Seat, ...]
    snapshots: str = Field("", description="Folder of snapshots, on the disk that all hosts see.")
    snapshot_seconds: NonNegativeFloat = 0.0
    max_restarts: NonNegativeInt = 0
    token_from: str = ""
    metrics_port: NonNegativeInt = 0
    replicas: PositiveInt = Field(1, description="Processes of each shard, on all hosts.")


def token_of(variable: str) -> str:
    """Return the secret of a training; nothing where it needs none.

    Raises:
        ValueError: This host does not have it.
    """
    if not variable:
        return ""
    if token := os.environ.get(variable):
        return token
    raise ValueError(
        f"train.parallelism.server.token_from is {variable}, and this host's environment has no such variable, or an "
        "empty one. Set it for the Dask worker, the same on every host."
    )
