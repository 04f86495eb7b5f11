"""Settings of language: the network, how far back it looks, and its optimiser."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from models.fit_config import FitConfig, ModelConfig
from models.networks.config import AdamWConfig, TransformerConfig


class LanguageFitConfig(FitConfig, frozen=True, extra="forbid"):
    """As for any network; an example is a stretch of text as long as what it looks back at."""

    batch_size: PositiveInt = Field(32, description="Stretches of text in one step, over all processes together.")
    max_epochs: PositiveInt = Field(8, description="Passes over the texts, at most.")


class LanguageConfig(ModelConfig, frozen=True, extra="forbid"):
    """What is learned from texts, and how."""

    fit: LanguageFitConfig = Field(LanguageFitConfig(), description="How long it is trained, and in what steps.")
    network: TransformerConfig = TransformerConfig()
    context: int = Field(128, ge=2, le=4_096, description="L: symbols that it looks back at, at most.")
    optimizer: AdamWConfig = AdamWConfig(learning_rate=2e-3, weight_decay=0.1)

    @property
    def layers(self) -> int:
        """See `TransformerConfig.layers`."""
        return self.network.layers
