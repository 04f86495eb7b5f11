"""What a parameter server is told to hold, before anybody reads or learns."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from data_contracts.night import Value

Numbers = Literal["float32", "float64"]


class Table(Value):
    """A table of rows, of which each shard holds those that were learned from."""

    name: str
    count: PositiveInt = Field(description="N, row 0 among them: it is zero, and is not learned.")
    width: PositiveInt = Field(description="D.")
    std: NonNegativeFloat = Field(0.0, description="Standard deviation of first values.")
    seed: NonNegativeInt = Field(0, description="Of first values.")
    decay: float = Field(0.0, ge=0, le=1, description="Share that a row loses in each step that reads it.")
    numbers: Numbers = "float32"
    admitted_after: int = Field(
        1, ge=1, le=255, description="Steps that learn from a row before it is held: until then they are dropped."
    )


class Rules(Value):
    """How a shard learns in a training that begins, or goes on."""

    epoch: NonNegativeInt = Field(description="Of this start: what is of an earlier one is refused.")
    rank: NonNegativeInt = Field(0, description="Of the shard: it has rows `rank`, `rank` + `world`, …")
    world: PositiveInt = 1
    shares: PositiveInt = Field(
        1, description="Pushes that make a step: one of each trainer where they step together, else 1."
    )
    staleness: NonNegativeInt | None = Field(None, description="See `Clock`; any when null.")
    compensation: NonNegativeFloat = Field(0.0, description="See `Compensation`; only where `shares` is 1.")
    forgotten_after: NonNegativeInt = Field(
        0, description="Steps in which a row has to be learned from, or it reads as at first again; 0: it never does."
    )
    taken: NonNegativeInt = Field(0, description="Steps that were taken before, all of them,")
    beyond: tuple[NonNegativeInt, ...] = Field((), description="and those after them.")

    @model_validator(mode="after")
    def _one_share_is_compensated(self) -> Self:
        if self.compensation and self.shares > 1:
            raise ValueError(f"compensation is {self.compensation}, and shares {self.shares}: each has read others.")
        return self


class Layers(Value):
    """Parameters that every step reads, one after another in one vector, of which each shard holds a piece."""

    name: str
    count: PositiveInt = Field(
        description="Numbers in the whole vector; shards have pieces as torch's `chunk` cuts them."
    )
    decay: NonNegativeFloat = Field(0.0, description="AdamW's, decoupled from the gradient.")
    numbers: Numbers = "float32"
