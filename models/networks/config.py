"""Settings of networks that several use cases may have."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator


class AdamWConfig(BaseModel, frozen=True, extra="forbid"):
    """AdamW; its learning rate rises over `fit.warm_up_steps`, and falls to nothing at the end of `fit.max_epochs`."""

    learning_rate: PositiveFloat = Field(3e-3, description="The highest.")
    weight_decay: NonNegativeFloat = Field(0.05, description="Decoupled from the gradient.")


class ResidualConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of a residual network. Weights can be trained further only under the same shape."""

    widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128), min_length=1, description="Numbers at each place, stage by stage; each stage halves the sides."
    )
    blocks: PositiveInt = Field(1, description="Residual blocks in each stage, one after another.")
    groups: PositiveInt = Field(8, description="Groups of numbers that are normalised together.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into: the stem, the blocks, and the head."""
        return len(self.widths) * self.blocks + 2

    @model_validator(mode="after")
    def _groups_share_every_width(self) -> Self:
        if odd := [width for width in self.widths if width % self.groups]:
            raise ValueError(f"groups ({self.groups}) must divide every width, and not {odd}. Try groups: 4, or 1.")
        return self


class TransformerConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of a transformer. Weights can be trained further only under the same shape."""

    width: PositiveInt = Field(128, description="D: numbers of a state.")
    heads: PositiveInt = Field(4, description="H: of attention; they share the width.")
    blocks: PositiveInt = Field(4, description="One after another.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of what a block adds that is dropped while it learns.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into: what reads, the blocks, and what says."""
        return self.blocks + 2

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide the width ({self.width}). Try heads: 4, or 1.")
        return self
