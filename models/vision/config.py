"""Settings of vision: the network, its optimiser, and what is done to pictures before they are learned from."""

from __future__ import annotations

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from models.fit_config import ModelConfig
from models.networks.config import ResidualConfig


class AdamWConfig(BaseModel, frozen=True, extra="forbid"):
    """AdamW; its learning rate rises over `fit.warm_up_steps`, and falls to nothing at the end of `fit.max_epochs`."""

    learning_rate: PositiveFloat = Field(3e-3, description="The highest.")
    weight_decay: NonNegativeFloat = Field(0.05, description="Decoupled from the gradient.")


class AugmentConfig(BaseModel, frozen=True, extra="forbid"):
    """What a picture may look like and still show the same; drawn anew whenever it is learned from."""

    shift: NonNegativeInt = Field(2, description="Pixels by which it is moved in each direction, at most.")
    flip: bool = Field(False, description="Mirror half of them: not where left and right differ, as in digits.")


class VisionConfig(ModelConfig, frozen=True, extra="forbid"):
    """What is learned from images, and how."""

    network: ResidualConfig = ResidualConfig()
    optimizer: AdamWConfig = AdamWConfig()
    augment: AugmentConfig = AugmentConfig()

    @property
    def layers(self) -> int:
        """See `ResidualConfig.layers`."""
        return self.network.layers
