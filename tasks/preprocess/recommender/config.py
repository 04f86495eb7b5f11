"""How a user's events become features."""

from __future__ import annotations

from pydantic import BaseModel, Field


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """What the tables are made with. Fixed by the first night; another choice needs tables of its own."""

    max_length: int = Field(
        50, ge=1, le=10_000, description="L: a context and its targets hold L + 1 events at most, a history L."
    )
    max_seen: int = Field(2_000, ge=1, description="Distinct items remembered of a user, the latest ones.")
