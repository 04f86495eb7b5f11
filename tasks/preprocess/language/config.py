"""How documents become what is learned from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Tokens = Literal["characters", "bytes"]


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """What the tables are made with. Fixed by the first night; another choice needs tables of its own."""

    tokens: Tokens = Field(
        "characters",
        description="What is said one after another: `characters`, which get numbers as they are met, or the `bytes` "
        "of UTF-8, of which there are 256 in every language.",
    )
