"""Settings of the recommender: what is learned and judged, the network, its loss, its optimiser and its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from models.fit_config import ModelConfig


class NetworkConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of the network. Weights can be trained further only under the same shape."""

    width: PositiveInt = Field(64, description="D: numbers that describe an item, and a state.")
    blocks: PositiveInt = Field(2, description="Transformer blocks, one after another.")
    heads: PositiveInt = Field(2, description="Attention heads in each block; they share the width.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of numbers dropped while training.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into: the embedding, the blocks, and the head."""
        return self.blocks + 2

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width}). Try heads: 1 or 2.")
        return self


class FullSoftmax(BaseModel, frozen=True, extra="forbid"):
    """Cross-entropy over every item: exact; its cost grows with the catalogue."""

    kind: Literal["full_softmax"] = "full_softmax"


class SampledSoftmax(BaseModel, frozen=True, extra="forbid"):
    """Cross-entropy over the target and some negatives, corrected for how likely each was drawn (logQ)."""

    kind: Literal["sampled_softmax"] = "sampled_softmax"
    negatives: PositiveInt = Field(512, description="Items drawn each step, shared by the whole global batch.")
    alpha: float = Field(0.5, ge=0, le=1, description="Drawn with probability ~ count^alpha; 0 draws uniformly.")


Loss = Annotated[FullSoftmax | SampledSoftmax, Field(discriminator="kind")]
FULL_UP_TO = 2_000
"""Items up to which the full softmax is taken where no loss is set: there a step takes up to 1.6 times as long."""


class AdamWConfig(BaseModel, frozen=True, extra="forbid"):
    """AdamW for every weight."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: PositiveFloat = Field(2e-3, description="After warm-up.")
    weight_decay: NonNegativeFloat = Field(0.01, description="Decoupled from the gradient.")


class RowwiseAdagradConfig(BaseModel, frozen=True, extra="forbid"):
    """Row-wise Adagrad for the rows of the item embedding, one number of state a row; AdamW for the rest."""

    kind: Literal["rowwise_adagrad"] = "rowwise_adagrad"
    learning_rate: PositiveFloat = Field(2e-3, description="Of AdamW, after warm-up.")
    weight_decay: NonNegativeFloat = Field(0.01, description="Of AdamW, decoupled from the gradient.")
    row_learning_rate: PositiveFloat = Field(0.05, description="Of the embedding's rows, after warm-up.")


class RecommenderConfig(ModelConfig, frozen=True, extra="forbid"):
    """What the recommender learns, and how."""

    target_events: tuple[str, ...] = Field((), description="Kinds of event learned and judged; empty takes all.")
    min_item_count: PositiveInt = Field(1, description="Items met less often are left out when examples are read.")
    min_user_count: PositiveInt = Field(1, description="Users with fewer events are left out when examples are read.")
    exclude_seen: bool = Field(True, description="Never recommend what the user had before; repeats are not judged.")
    recent_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="Days before a window that popularity and Markov count; unknown users get the former.",
    )
    network: NetworkConfig = NetworkConfig()
    loss: Loss | None = Field(
        None, description=f"By default full_softmax up to {FULL_UP_TO:,} items, sampled_softmax beyond."
    )
    optimizer: Annotated[AdamWConfig | RowwiseAdagradConfig, Field(discriminator="kind")] = AdamWConfig()

    @property
    def layers(self) -> int:
        """See `NetworkConfig.layers`."""
        return self.network.layers

    def problems(self, allowed: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Say which kinds of event are learned that can never come."""
        kinds = allowed.get("event", ())
        if kinds and (unknown := sorted(set(self.target_events) - set(kinds))):
            yield f"model.target_events {unknown} can never come: validation.allowed.event knows {list(kinds)}"

    def with_loss_for(self, items: int) -> Self:
        """Return this with the loss that a catalogue of so many items is learned by."""
        by_size = FullSoftmax() if items <= FULL_UP_TO else SampledSoftmax()
        return self.model_copy(update={"loss": self.loss or by_size})
