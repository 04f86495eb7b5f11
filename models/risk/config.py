"""Settings of what is learned about risks: the network, its rival, and what a mistake costs."""

from __future__ import annotations

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from models.fit_config import FitConfig, ModelConfig


class NetworkConfig(BaseModel, frozen=True, extra="forbid"):
    """Shape of the network. Weights can be trained further only under the same shape."""

    width: PositiveInt = Field(64, description="W: numbers between two layers of the deep part.")
    hidden: NonNegativeInt = Field(1, description="Layers of the deep part between its first and the last.")
    party_width: PositiveInt = Field(4, description="E: numbers that describe a party by who it is.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Share of the deep part's numbers dropped while training.")
    party_dropout: float = Field(0.5, ge=0, lt=1, description="Share of parties taken for unknown while training.")

    @property
    def layers(self) -> int:
        """Pieces that the network can be cut into."""
        return self.hidden + 2


class BoostingConfig(BaseModel, frozen=True, extra="forbid"):
    """Gradient-boosted trees, the rival that is trained when the network is judged."""

    rounds: PositiveInt = Field(400, description="Trees, one after another.")
    learning_rate: PositiveFloat = Field(0.03, description="How much each of them adds.")
    leaves: int = Field(15, ge=2, description="Of a tree, at most.")
    rows_of_leaf: PositiveInt = Field(50, description="Transactions in each, at least.")


class RiskFitConfig(FitConfig, frozen=True, extra="forbid"):
    """As for any network; small and quick as this one is, it takes larger steps, and has more patience."""

    batch_size: PositiveInt = Field(256, description="Transactions in one step, over all processes together.")
    max_epochs: PositiveInt = Field(30, description="Passes over the data, at most.")
    patience: PositiveInt = Field(10, description="Epochs without a better log loss before it stops.")


class RiskConfig(ModelConfig, frozen=True, extra="forbid"):
    """What is learned about risks, and how."""

    fit: RiskFitConfig = Field(RiskFitConfig(), description="How long it is trained, and in what steps.")
    network: NetworkConfig = NetworkConfig()
    learning_rate: PositiveFloat = Field(1e-3, description="Of AdamW, and of parties' rows, after warm-up.")
    weight_decay: NonNegativeFloat = Field(0.01, description="Of AdamW, decoupled from the gradient.")
    party_forgetting: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of what is known of a party by who it is that is forgotten in each step that it is met in: "
        "much, or single parties are learned by heart.",
    )
    boosting: BoostingConfig = BoostingConfig()
    threshold: float = Field(0.5, gt=0, lt=1, description="Chance from which on a transaction is taken for bad.")
    cost_of_missed: NonNegativeFloat = Field(1.0, description="Cost of a bad transaction that is taken for good.")
    cost_of_alarm: NonNegativeFloat = Field(1.0, description="Cost of a good one that is taken for bad.")

    @property
    def layers(self) -> int:
        """See `NetworkConfig.layers`."""
        return self.network.layers
