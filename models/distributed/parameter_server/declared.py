"""What a parameter server is told to hold, before anybody reads or learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from data_contracts.night import Value

Numbers = Literal["float32", "float64"]


class Rows(Value):
    """A table of rows, of which each shard holds those that were learned from."""

    name: str
    count: PositiveInt = Field(description="N, row 0 among them: it is zero, and is not learned.")
    width: PositiveInt = Field(description="D.")
    std: NonNegativeFloat = Field(0.0, description="Standard deviation of first values.")
    seed: NonNegativeInt = Field(0, description="Of first values.")
    numbers: Numbers = "float32"
    admitted_after: int = Field(
        1, ge=1, le=255, description="Steps that learn from a row before it is held: until then they are dropped."
    )


class Layers(Value):
    """Parameters that every step reads, one after another in one vector, of which each shard holds a piece."""

    name: str
    count: PositiveInt = Field(
        description="Numbers in the whole vector; shards have pieces as torch's `chunk` cuts them."
    )
    decay: NonNegativeFloat = Field(0.0, description="AdamW's, decoupled from the gradient.")
    numbers: Numbers = "float32"
