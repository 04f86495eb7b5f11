"""Settings of medical: those of vision, what is looked for, and how sure an answer has to be."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator

from models.vision.config import VisionConfig


class Band(BaseModel, frozen=True, extra="forbid"):
    """Probabilities that are neither yes nor no."""

    low: float = Field(ge=0, le=1, description="Lowest of them.")
    high: float = Field(ge=0, le=1, description="Highest of them.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low} and high {self.high}: no probability lies between. Exchange them.")
        return self


class MedicalConfig(VisionConfig, frozen=True, extra="forbid"):
    """What is learned from pictures, and how it answers."""

    finding: str = Field("finding", description="Label of the pictures that show what is looked for.")
    specificity: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the validating pictures without the finding that are to be passed: by it the threshold "
        "is chosen from which on an answer says yes. When omitted, sensitivity and specificity together are highest.",
    )
    abstains: Band | None = Field(None, description="Probabilities with which an answer says neither yes nor no.")
