"""When a candidate is promoted."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class GateConfig(BaseModel, frozen=True, extra="forbid"):
    """What a candidate must show on the held-out window. It must always beat every baseline that was judged."""

    metric: Literal["hr@5", "hr@10", "hr@20", "ndcg@10", "mrr"] = Field("ndcg@10", description="Decides; the higher.")
    max_loss: float = Field(
        0.02, ge=0, lt=1, description="Share of the champion's metric that a candidate may lose and still replace it."
    )
