"""How transactions become features."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt

from tasks.preprocess.labels import LabelsConfig


class FeatureConfig(LabelsConfig, frozen=True, extra="forbid"):
    """How long labels are waited for; `data_contracts.risk.measures` says what is computed."""

    label_days: NonNegativeInt = Field(
        90,
        description="Days before or after its transaction's on which a label may come; one said later is not used.",
    )
