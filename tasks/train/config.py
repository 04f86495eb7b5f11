"""Settings of training: from where, on what, in how many processes."""

from __future__ import annotations

from pydantic import BaseModel, Field, NonNegativeFloat

from data_contracts.parallelism import ParallelismConfig


class TrainConfig(BaseModel, frozen=True, extra="forbid"):
    """From where, on what, and in how many processes a night trains."""

    parallelism: ParallelismConfig = Field(ParallelismConfig(), description="How the work is spread over processes.")
    warm_start: bool = Field(True, description="Start from the champion's weights when they fit; else from nothing.")
    replay: NonNegativeFloat = Field(
        1.0, description="Examples drawn from older windows in a warm start, as a multiple of the new ones."
    )
