"""Settings of language: the network, how far back it looks, and its optimiser."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from models.fit_config import FitConfig, ModelConfig
from models.networks.config import AdamWConfig, TransformerConfig

MOST_IN_BFLOAT16 = 256
"""Whole numbers from 0 that bfloat16 tells apart: places are such numbers."""


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

    @model_validator(mode="after")
    def _places_are_told_apart(self) -> Self:
        if self.fit.precision == "bf16-mixed" and self.context > MOST_IN_BFLOAT16:
            raise ValueError(
                f"fit.precision bf16-mixed tells {MOST_IN_BFLOAT16} places apart, and context is {self.context:,}. "
                f"Take fit.precision: 32-true, or context: {MOST_IN_BFLOAT16}."
            )
        return self

    @property
    def layers(self) -> int:
        """See `TransformerConfig.layers`."""
        return self.network.layers
