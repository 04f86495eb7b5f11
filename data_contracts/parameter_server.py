"""A training's parameter server: how it is set up, and what its shards are told and answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from data_contracts.night import Value

SHARDS = "shards"
"""In a training's folder: a folder of each shard's process."""
STORE = "NIGHTSHIFT_STORE"
"""Variable that says where the hosts of a training meet: host and port of the store, and which meeting, after ``/``."""


class ParameterServerConfig(BaseModel, frozen=True, extra="forbid"):
    """Where rows are learned under `rows: served`: in processes beside those that train."""

    mode: Literal["hybrid", "sync"] = Field(
        "hybrid",
        description="Who learns the layers: under `hybrid` the trainers, who add their gradients; under `sync` the "
        "server, beside the rows.",
    )
    shards: PositiveInt = Field(1, description="Processes that rows are dealt to; hosts take them in turn.")
    staleness: int = Field(
        0,
        ge=0,
        le=1,
        description="Steps that may be missing in the rows that a step reads. 0 is as exact as without a server; with "
        "1 the next batch's rows come while the one before is computed.",
    )


class ShardJob(Value):
    """Hold every ``shards``-th row of a training, until nobody wants it any more."""

    store: str = Field(description="Where the hosts of the training meet, see `STORE`.")
    host: str = Field(description="Address to listen on.")
    rank: NonNegativeInt
