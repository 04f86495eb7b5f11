"""How the work of one training is spread over processes: told to the job, and to those who place it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

Strategy = Literal["ddp"]


class ParallelismConfig(BaseModel, frozen=True, extra="forbid"):
    """How many processes do what. Checked before any of them starts."""

    strategy: Strategy = Field("ddp", description="One file per value under models/distributed/.")
    num_nodes: PositiveInt = Field(1, description="Hosts, one torchelastic agent on each; one so far.")
    processes_per_node: PositiveInt = Field(2, description="Training processes on each host.")
    threads_per_process: PositiveInt = Field(1, description="OMP_NUM_THREADS of each process.")

    @model_validator(mode="after")
    def _trains_on_one_host(self) -> Self:
        if self.num_nodes > 1:
            raise ValueError(
                f"num_nodes is {self.num_nodes}: a training runs on one host so far. "
                "Set num_nodes: 1 and raise processes_per_node instead."
            )
        return self

    @property
    def world_size(self) -> int:
        """Processes in all."""
        return self.num_nodes * self.processes_per_node
