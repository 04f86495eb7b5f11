"""Settings of the recommender: what is learned and judged, the network, its loss, its optimiser and its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from data_contracts.bundle import Steps
from data_contracts.job import Config
from models.fit_config import ModelConfig

DISTANCES = "distances"
"""Kind of network whose heads had learned what each distance adds; it answers, and is not trained any more."""


class NetworkConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of the network. Weights can be trained further only under the same shape."""

    kind: Literal["sasrec", "hstu"] = Field(
        "sasrec", description="sasrec: places count as distances; hstu: so does how long ago it was."
    )
    width: PositiveInt = Field(64, description="D: numbers that describe an item, and a state.")
    blocks: PositiveInt = Field(2, description="Transformer blocks, one after another.")
    heads: PositiveInt = Field(2, description="Attention heads in each block; they share the width.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Share of numbers dropped while training.")
    item_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of a history's items hidden while training; helps where items are rare."
    )

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into: the embedding, the blocks, and the head."""
        return self.blocks + 2

    @property
    def knows_times(self) -> bool:
        """Whether it matters how long ago an item was met."""
        return self.kind == "hstu"

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
FULL_AT_MOST = 100_000
"""Items up to which it can be asked for."""


class OptimizerConfig(BaseModel, frozen=True, extra="forbid"):
    """Row-wise Adagrad for the items' rows, one number of state a row; AdamW for the layers."""

    learning_rate: PositiveFloat = Field(2e-3, description="Of the layers, after warm-up.")
    weight_decay: NonNegativeFloat = Field(0.01, description="Of the layers, decoupled from the gradient.")
    row_learning_rate: PositiveFloat = Field(0.1, description="Of the items' rows, after warm-up.")


def _with_distances(told: Config) -> Config:
    """Name the network of former days, which was the only one."""
    network = told["network"]
    assert isinstance(network, dict)
    return {**told, "network": {**network, "kind": DISTANCES}}


class RecommenderConfig(ModelConfig, frozen=True, extra="forbid"):
    """What the recommender learns, and how."""

    former: ClassVar[Steps] = {2: _with_distances}

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
        None,
        description=f"Null: full_softmax up to {FULL_UP_TO:,} items, sampled_softmax beyond or if rows are sharded.",
    )
    optimizer: OptimizerConfig = OptimizerConfig()

    @property
    def layers(self) -> int:
        """See `NetworkConfig.layers`."""
        return self.network.layers

    def problems(self, allowed: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Say which kinds of event are learned that can never come."""
        kinds = allowed.get("event", ())
        if kinds and (unknown := sorted(set(self.target_events) - set(kinds))):
            yield f"model.target_events {unknown} can never come: validation.allowed.event knows {list(kinds)}"

    def with_loss_for(self, items: int, *, sharded: bool = False) -> Self:
        """Return this with the loss that a catalogue of so many items is learned by.

        Args:
            items: How many.
            sharded: Whether no process has the rows of all of them.

        Raises:
            ValueError: The loss that is set compares each target with too many items, or with rows of others.
        """
        if isinstance(self.loss, FullSoftmax) and sharded:
            raise ValueError(
                "model.loss: full_softmax compares each target with all items, and under train.parallelism.rows: "
                "sharded or served no process has them all. Take kind: sampled_softmax, or leave model.loss out."
            )
        if isinstance(self.loss, FullSoftmax) and items > FULL_AT_MOST:
            raise ValueError(
                f"model.loss: full_softmax compares each target with all {items:,} items, and is for "
                f"{FULL_AT_MOST:,} at most. Take kind: sampled_softmax, or leave model.loss out."
            )
        by_size = FullSoftmax() if items <= FULL_UP_TO and not sharded else SampledSoftmax()
        return self.model_copy(update={"loss": self.loss or by_size})
