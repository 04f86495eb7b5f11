"""How an image becomes what is learned from."""

from __future__ import annotations

from pydantic import Field

from data_contracts.vision.pictures import MIN_SIDE, Channels
from tasks.preprocess.labels import LabelsConfig


class FeatureConfig(LabelsConfig, frozen=True, extra="forbid"):
    """What the tables are made with. Fixed by the first night; another choice needs tables of its own."""

    size: int = Field(
        28, ge=MIN_SIDE, le=256, description="Height and width to which every image is scaled, whatever its shape."
    )
    channels: Channels = Field("grey", description="`grey`, or `rgb` where colours tell something.")
