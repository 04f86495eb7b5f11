"""Settings of vision: the network, its optimiser, and what is done to pictures before they are learned from."""

from __future__ import annotations

from pydantic import BaseModel, Field, NonNegativeInt

from models.fit_config import ModelConfig
from models.networks.config import AdamWConfig, ResidualConfig


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
