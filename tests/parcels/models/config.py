"""Settings of what is learned about parcels."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from models.fit_config import ModelConfig


class NetworkConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of the network."""

    width: PositiveInt = Field(16, description="Numbers between two layers.")
    hidden: PositiveInt = Field(1, description="Layers between the first and the last.")


class ParcelConfig(ModelConfig, frozen=True, extra="forbid"):
    """How hours are learned from distances."""

    network: NetworkConfig = NetworkConfig()
    learning_rate: PositiveFloat = Field(0.01, description="Of AdamW.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into."""
        return self.network.hidden + 2
