"""How transactions become features."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt

from tasks.preprocess.labels import LabelsConfig


class FeatureConfig(LabelsConfig, frozen=True, extra="forbid"):
    """How long labels are waited for; `data_contracts.risk.measures` says what is computed."""

    label_days: NonNegativeInt = Field(
        90,
        description="Days after its transaction's own on which a label may come; one that comes later is not used.",
    )
