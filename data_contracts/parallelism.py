"""How the work of one training is spread over processes: told to the job, and to those who place it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, model_validator

from data_contracts.parameter_server import ParameterServerConfig

Strategy = Literal["ddp", "fsdp", "pipeline"]
Replicas = Literal["ddp", "fsdp"]
Schedule = Literal["gpipe", "1f1b", "interleaved", "zero_bubble"]

_STAGES_PER_PROCESS: dict[Schedule, int] = {"gpipe": 1, "1f1b": 1, "interleaved": 2, "zero_bubble": 2}


class ParallelismConfig(BaseModel, frozen=True, extra="forbid"):
    """How many processes do what. Checked before any of them starts."""

    strategy: Strategy = Field("ddp", description="One file per value under models/distributed/.")
    pipeline_stages: PositiveInt = Field(1, description="Processes that a batch goes through, under `pipeline`.")
    replicas: Replicas = Field("ddp", description="What the replicas of a stage hold, under `pipeline`.")
    schedule: Schedule = Field("1f1b", description="In which order the stages work, under `pipeline`.")
    microbatches: PositiveInt = Field(4, description="Parts that a replica's share of a batch goes through stages in.")
    rows: Literal["local", "sharded", "served"] = Field(
        "local",
        description="Where tables of rows lie (a vector for each thing known by number): all in each process, or "
        "sharded, a range of rows in each, or served, by a parameter server beside them.",
    )
    server: ParameterServerConfig = Field(ParameterServerConfig(), description="Of rows that are served.")
    gradients: Literal["float32", "bfloat16"] = Field(
        "float32", description="As what gradients travel; bfloat16 is half as much, and less exact."
    )
    average_every: PositiveInt = Field(
        1,
        description="Local SGD under `ddp`: each process steps by itself, and weights are averaged every so many "
        "steps; 1 adds gradients in every step.",
    )
    min_nodes: PositiveInt = Field(1, description="Hosts, one torchelastic agent on each, below which it stops.")
    max_nodes: PositiveInt = Field(1, description="Hosts that it takes when they are there.")
    processes_per_node: PositiveInt | None = Field(
        None,
        description="Training processes on each host; null: one for each of its GPUs, or else for each core "
        "(each threads_per_process cores).",
    )
    max_restarts: NonNegativeInt = Field(
        10, description="Times that killed processes of a host are started again; what fails by itself is not."
    )
    rendezvous_port: int = Field(
        0, ge=0, le=65_535, description="Where hosts meet, on the flow's host; 0 takes any free port."
    )
    join_seconds: PositiveInt = Field(120, description="How long it waits for min_nodes hosts.")
    threads_per_process: PositiveInt = Field(1, description="OMP_NUM_THREADS of each process.")

    def with_processes(self, number: int) -> Self:
        """Return this for hosts with so many processes, if it does not say how many itself.

        Raises:
            ValueError: That does not go with the rest.
        """
        known = {"processes_per_node": self.processes_per_node or number}
        return self.model_copy(update=known)._fits_together()

    @model_validator(mode="after")
    def _is_checked(self) -> Self:
        return self._fits_together()

    def _fits_together(self) -> Self:
        problems = [*self._nodes(), *self._pipeline(), *self._wire(), *self._server()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _nodes(self) -> Iterable[str]:
        if self.min_nodes > self.max_nodes:
            yield f"min_nodes is {self.min_nodes}, more than max_nodes, {self.max_nodes}: raise max_nodes."

    def _wire(self) -> Iterable[str]:
        if self.average_every == 1:
            return
        if self.strategy != "ddp":
            yield (
                f"average_every is {self.average_every} under `{self.strategy}`: only a process that has the whole "
                "network can go on by itself. Leave it out, or take strategy: ddp."
            )
        if self.rows != "local":
            yield f"rows: {self.rows}, average_every is {self.average_every}: nobody has all rows to step by itself."
        if self.gradients != "float32":
            yield f"gradients: {self.gradients}, and average_every is {self.average_every}: then no gradient travels."

    def _server(self) -> Iterable[str]:
        if self.rows != "served":
            if self.server != ParameterServerConfig():
                yield f"server: only where rows are served, they are {self.rows}. Leave it out, or set rows: served."
            return
        yield from self.server.problems()
        if self.server.mode != "hybrid" and self.strategy != "ddp":
            yield (
                f"server.mode is {self.server.mode}, and strategy {self.strategy}: each trainer has all layers then. "
                "Take strategy: ddp, or mode: hybrid."
            )
        if self.server.staleness and self.strategy == "pipeline":
            yield f"server.staleness is {self.server.staleness} under `pipeline`: stages read in turn. Leave it out."
        if self.gradients != "float32":
            yield f"gradients: {self.gradients}, and rows: served: rows travel as they are. Leave one of both out."

    def _pipeline(self) -> Iterable[str]:
        if self.strategy != "pipeline":
            kept = {name: getattr(self, name) for name in ("pipeline_stages", "replicas", "schedule", "microbatches")}
            ignored = [name for name, value in kept.items() if value != type(self).model_fields[name].default]
            if ignored:
                yield f"{', '.join(ignored)}: only under strategy `pipeline`, and it is `{self.strategy}`. Leave out."
            return
        if self.pipeline_stages == 1:
            yield "pipeline_stages is 1: nothing is cut. Set 2 or more, or strategy: ddp."
        if self.schedule == "1f1b" and self.microbatches < self.pipeline_stages:
            yield (
                f"microbatches ({self.microbatches}) must be at least pipeline_stages ({self.pipeline_stages}) under "
                f"`1f1b`. Try {self.pipeline_stages}."
            )
        rounds = max(self.microbatches // self.pipeline_stages, 1)
        if self.stages_per_process > 1 and self.microbatches % rounds:
            yield (
                f"microbatches ({self.microbatches}) go through {self.pipeline_stages} stages under `{self.schedule}` "
                f"in {rounds} equal rounds. Try {self.microbatches - self.microbatches % rounds}."
            )
        if set(self.worlds) == {self.pipeline_stages}:
            for name in ("replicas", "gradients"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    yield f"{name}: only where stages have replicas. Leave it out, or start more processes."
        for nodes, world in enumerate(self.worlds, start=self.min_nodes):
            if world % self.pipeline_stages:
                yield (
                    f"pipeline_stages ({self.pipeline_stages}) must divide the world size ({world} = "
                    f"{nodes} nodes x {world // nodes} processes). Try "
                    f"{_any_of(_divisors(self.worlds))}set processes_per_node to {self.pipeline_stages}."
                )

    @property
    def worlds(self) -> tuple[int, ...]:
        """Processes in all, for each number of hosts that it may have; empty where the hosts say how many."""
        each = self.processes_per_node
        return tuple(each * nodes for nodes in range(self.min_nodes, self.max_nodes + 1)) if each else ()

    @property
    def serves_layers(self) -> bool:
        """Whether a parameter server learns the layers, too."""
        return self.rows == "served" and self.server.mode != "hybrid"

    @property
    def leases(self) -> bool:
        """Whether each trainer takes whole batches from a parameter server, as many as it can."""
        return self.rows == "served" and self.server.leases

    @property
    def stages_per_process(self) -> int:
        """Stages that each process holds, not one after the other but all around."""
        return _STAGES_PER_PROCESS[self.schedule] if self.strategy == "pipeline" else 1

    @property
    def stages(self) -> int:
        """Pieces that the network is cut into."""
        return self.pipeline_stages * self.stages_per_process


def _divisors(numbers: Sequence[int]) -> list[int]:
    """Return what divides all of them, without one."""
    return [divisor for divisor in range(2, min(numbers) + 1) if not any(number % divisor for number in numbers)]


def _any_of(numbers: Sequence[int]) -> str:
    return f"{', '.join(map(str, numbers))}, or " if numbers else "to "
