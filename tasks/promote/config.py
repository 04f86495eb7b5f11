"""When a candidate is promoted."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field, FiniteFloat, PositiveInt

from data_contracts.evidence import Metrics


class SubgroupConfig(BaseModel, frozen=True, extra="forbid"):
    """What must be so for every subgroup: every slice of the evidence that has enough units."""

    bounds: dict[str, FiniteFloat] = Field(
        min_length=1,
        description="Metric to its least value, `{accuracy: 0.8}`; to its most where less of it is better. A subgroup "
        "that has no such metric decides nothing by it.",
    )
    min_units: PositiveInt = Field(30, description="A subgroup of fewer units decides nothing; the reason names it.")


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
    subgroups: SubgroupConfig | None = Field(
        None, description="What must be so for every subgroup, beside all else; nothing when omitted."
    )
    approval: bool = Field(
        False,
        description="Whether a person is asked before what the gate lets through is promoted. The night ends with the "
        "question; `python -m flows.approve` or Prefect's page answers it. It needs `make up`.",
    )

    def problems(self, by: Metrics) -> Iterator[str]:
        """Say which metrics named here cannot decide in a use case that declares ``by``."""
        if self.metric not in {None, *by.may_decide}:
            yield f"gate.metric {self.metric!r} is none of {', '.join(by.may_decide)}"
        bounds = self.subgroups.bounds if self.subgroups else {}
        if unknown := ", ".join(repr(metric) for metric in bounds if metric not in by.may_decide):
            yield f"gate.subgroups.bounds names {unknown}, and subgroups are judged by {', '.join(by.may_decide)}"
