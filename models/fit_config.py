"""How long and in what steps a network is trained: nested by every use case's own config as ``fit``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt


class FitConfig(BaseModel, frozen=True, extra="forbid"):
    """How long and in what steps a network is trained."""

    batch_size: PositiveInt = Field(64, description="Examples in one step, over all processes together.")
    max_epochs: PositiveInt = Field(20, description="Passes over the data, at most.")
    patience: PositiveInt = Field(4, description="Epochs without a better validation metric before it stops.")
    warm_up_steps: NonNegativeInt = Field(100, description="Steps in which the learning rate rises to its value.")
    clip_norm: PositiveFloat = Field(1.0, description="Longest gradient; a longer one is scaled down to it.")
    precision: Literal["32-true", "bf16-mixed", "64-true"] = Field("32-true", description="Of weights and sums.")
    seed: NonNegativeInt = Field(
        0, description="Of the first weights, the order of examples, negatives, dropout and replay."
    )
