"""Settings of speech: the network, its optimiser, and what is done to sounds before they are learned from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from models.fit_config import FitConfig, ModelConfig
from models.networks.config import AdamWConfig


class SpeechFitConfig(FitConfig, frozen=True, extra="forbid"):
    """As for any network; an example is a sound."""

    batch_size: PositiveInt = Field(16, description="Sounds in one step, over all processes together.")
    max_epochs: PositiveInt = Field(15, description="Passes over the sounds, at most.")


class SpeechNetworkConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of the network. Weights can be trained further only under the same shape."""

    subsampling: Literal[2, 4] = Field(2, description="Frames of 10 ms that become one place.")
    range_nats: PositiveFloat = Field(9.0, description="Below a sound's loudest place, under which all is silence.")
    band_mean_share: float = Field(
        0.7, ge=0, le=1, description="Share of each band's mean in a sound that is taken off: 1 hears no microphone."
    )
    channels: PositiveInt = Field(16, description="Numbers that the first convolutions give for each place and band.")
    width: PositiveInt = Field(128, description="D: numbers of a state.")
    heads: PositiveInt = Field(4, description="H: of attention; they share the width.")
    blocks: PositiveInt = Field(1, description="One after another.")
    kernel: PositiveInt = Field(9, description="Places that a block's convolution sees together; odd.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of what a block adds that is dropped while it learns.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into: what hears, the blocks, and what writes."""
        return self.blocks + 2

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide the width ({self.width}). Try heads: 4, or 1.")
        return self

    @model_validator(mode="after")
    def _a_kernel_has_a_middle(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel ({self.kernel}) must be odd. Try kernel: {self.kernel + 1}.")
        return self


class SpeechAugmentConfig(BaseModel, frozen=True, extra="forbid"):
    """What a recording may be like and still say the same; drawn anew whenever it is learned from."""

    stretch: NonNegativeFloat = Field(0.25, description="Share by which it is slower or faster, at most.")
    warp: NonNegativeFloat = Field(0.15, description="Share by which frequencies are higher or lower, at most.")
    tilt: NonNegativeFloat = Field(0.5, description="Nats by which a microphone changes the power of bands, about.")
    noise: NonNegativeFloat = Field(2.0, description="Nats by which noise is raised above the softest, at most.")
    time_masks: NonNegativeInt = Field(0, description="Stretches of time that are wiped out.")
    time_mask_share: float = Field(0.15, ge=0, le=1, description="Share of a sound that one of them is, at most.")
    mel_masks: NonNegativeInt = Field(0, description="Stretches of bands that are wiped out.")
    mel_mask_share: float = Field(0.2, ge=0, le=1, description="Share of the bands that one of them is, at most.")


class SpeechConfig(ModelConfig, frozen=True, extra="forbid"):
    """What is learned from sounds and what was said, and how."""

    fit: SpeechFitConfig = Field(SpeechFitConfig(), description="How long it is trained, and in what steps.")
    network: SpeechNetworkConfig = SpeechNetworkConfig()
    optimizer: AdamWConfig = AdamWConfig(learning_rate=1.5e-3, weight_decay=0.05)
    augment: SpeechAugmentConfig = SpeechAugmentConfig()
    words: Literal["known", "any"] = Field(
        "known",
        description="Which words an answer may have: `known`, those of the texts that it learned from, or `any`.",
    )

    @property
    def layers(self) -> int:
        """See `SpeechNetworkConfig.layers`."""
        return self.network.layers
