"""When a candidate is promoted."""

from __future__ import annotations

from pydantic import BaseModel, Field


class GateConfig(BaseModel, frozen=True, extra="forbid"):
    """What a candidate must show on the held-out window. It must always be surely better than every baseline."""

    metric: str | None = Field(None, description="Decides; the use case's own choice when omitted.")
    max_loss: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Share of the champion's metric that a candidate may lose and still replace it: surely not more "
        "(95 %), beside the champion and beside the best of those before it.",
    )
    approval: bool = Field(
        False,
        description="Whether a person is asked before what the gate lets through is promoted. The night ends with the "
        "question; `python -m flows.approve` or Prefect's page answers it. It needs `make up`.",
    )
