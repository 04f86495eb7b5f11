"""Settings of training: from where, on what, in how many processes."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, model_validator

from data_contracts.job import CheckpointConfig
from data_contracts.parallelism import ParallelismConfig


class TrainConfig(BaseModel, frozen=True, extra="forbid"):
    """From where, on what, and in how many processes a night trains."""

    parallelism: ParallelismConfig = Field(ParallelismConfig(), description="How the work is spread over processes.")
    checkpoints: CheckpointConfig = Field(CheckpointConfig(), description="How often a training is saved.")
    max_seconds: PositiveFloat | None = Field(
        None,
        description="A training ends after the epoch that is followed by none that would be done in this time, however "
        "often it was started; the best so far is the candidate. As long as it takes when omitted.",
    )
    warm_start: bool = Field(True, description="Start from the champion's weights when they fit; else from nothing.")
    replay: NonNegativeFloat = Field(
        1.0, description="Examples drawn from older windows in a warm start, as a multiple of the new ones."
    )

    @model_validator(mode="after")
    def _replay_is_of_a_warm_start(self) -> Self:
        # The default is no choice: whoever writes every setting out, as Prefect's form does, writes it too.
        if not self.warm_start and self.replay != type(self).model_fields["replay"].default:
            raise ValueError(
                f"replay ({self.replay:g}) is of a warm start, and warm_start is false: everything is trained on in "
                "full then. Leave replay out, or set warm_start: true."
            )
        return self
