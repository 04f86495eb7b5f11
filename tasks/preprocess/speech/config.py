"""How a recording becomes what is learned from."""

from __future__ import annotations

from pydantic import Field

from tasks.preprocess.labels import LabelsConfig


class FeatureConfig(LabelsConfig, frozen=True, extra="forbid"):
    """What the tables are made with. Fixed by the first night; another choice needs tables of its own."""

    rate: int = Field(
        16_000,
        ge=8_000,
        le=48_000,
        multiple_of=100,
        description="Hz: to which every recording is resampled; hundreds, as a frame is 10 ms. Telephones have 8,000.",
    )
    mels: int = Field(64, ge=16, le=128, description="Bands of frequency in a frame of 10 ms.")
