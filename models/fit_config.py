"""Settings of a model that every use case has: how long and in what steps a network is trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt

from data_contracts.bundle import Steps
from data_contracts.parallelism import ParallelismConfig


class FitConfig(BaseModel, frozen=True, extra="forbid"):
    """How long and in what steps a network is trained."""

    batch_size: PositiveInt = Field(64, description="Examples in one step, over all processes together.")
    max_epochs: PositiveInt = Field(20, description="Passes over the data, at most.")
    patience: PositiveInt = Field(4, description="Epochs without a better validation metric before it stops.")
    warm_up_steps: NonNegativeInt = Field(100, description="Steps in which the learning rate rises to its value.")
    clip_norm: PositiveFloat = Field(1.0, description="Longest gradient; a longer one is scaled down to it.")
    precision: Literal["32-true", "bf16-mixed", "64-true"] = Field("32-true", description="Of weights and sums.")
    accumulate: PositiveInt = Field(
        1, description="Parts that a process does its share of a batch in: less memory, the same gradient."
    )
    activation_checkpointing: bool = Field(
        False, description="Compute a layer again on the way back instead of keeping what it computed: less memory."
    )
    compile: bool = Field(False, description="Compile layers (torch.compile): needs a C++ compiler, and some minutes.")
    seed: NonNegativeInt = Field(
        0, description="Of the first weights, every order that is drawn, negatives, dropout and replay."
    )

    def problems(self, parallelism: ParallelismConfig, layers: int) -> tuple[str, ...]:
        """Say what of this does not go with a way of splitting the work.

        Args:
            parallelism: That way.
            layers: Pieces that the network can be cut into, at most.
        """
        return tuple(self._pipeline(parallelism, layers)) if parallelism.strategy == "pipeline" else ()

    def _pipeline(self, parallelism: ParallelismConfig, layers: int) -> Iterable[str]:
        stages, schedule = parallelism.pipeline_stages, parallelism.schedule
        if layers < parallelism.stages:
            yield (
                f"{parallelism.stages} stages ({stages} processes x {parallelism.stages_per_process} under "
                f"`{schedule}`) need as many layers, the network has {layers}. Take fewer stages, or more blocks."
            )
        for world in parallelism.worlds:
            parts = world // stages * parallelism.microbatches
            if self.batch_size % parts:
                yield (
                    f"model.fit.batch_size ({self.batch_size}) must be divisible by {parts} under `pipeline` "
                    f"({world // stages} replicas x {parallelism.microbatches} microbatches). "
                    f"Try {max(self.batch_size // parts, 1) * parts}."
                )
        if self.accumulate > 1:
            yield (
                f"model.fit.accumulate is {self.accumulate}: under `pipeline` a share is done in microbatches, "
                f"{parallelism.microbatches} of them. Leave it out, and raise train.parallelism.microbatches."
            )
        if schedule == "zero_bubble":
            yield from (
                f"model.fit.{name}: `zero_bubble` takes a layer's way back in two parts, and {why}. Leave it out, or "
                "take schedule: 1f1b."
                for name, why, wanted in (
                    ("activation_checkpointing", "a layer is computed again once only", self.activation_checkpointing),
                    ("compile", "a compiled one has only one", self.compile),
                )
                if wanted
            )


class ModelConfig(BaseModel, frozen=True, extra="forbid"):
    """What is learned, and how: a use case adds its own settings, all of them with defaults.

    Among them is ``network``: what must be equal for the weights of one training to be trained further in another.

    Raises:
        TypeError: A use case's settings have none.
    """

    former: ClassVar[Steps] = {}
    """What its settings in a bundle of one format say in the words of the next."""

    fit: FitConfig = Field(FitConfig(), description="How long it is trained, and in what steps.")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """See that there is a ``network``."""
        if "network" not in cls.model_fields:
            raise TypeError(
                f"{cls.__module__}.{cls.__name__} has no field `network`: what must be equal for weights to be trained "
                "further. Call so what gives the network its shape."
            )

    @property
    @abstractmethod
    def layers(self) -> int:
        """Pieces that the network can be cut into, at most."""

    def problems(self, allowed: Mapping[str, Sequence[str]]) -> Iterable[str]:  # noqa: ARG002
        """Say what of this can never come, by the values that `validation.allowed` lets in."""
        return ()
