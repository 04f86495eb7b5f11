"""How transactions become features."""

from __future__ import annotations

from pydantic import BaseModel


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """There is nothing to choose: `data_contracts.risk.measures` says what is computed."""
