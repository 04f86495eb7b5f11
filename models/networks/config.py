"""Settings of networks that several use cases may have."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, PositiveInt, model_validator


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
