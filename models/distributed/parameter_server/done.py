"""What shards have done since a training began, or began anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Self

from pydantic import Field

from data_contracts.night import Value

_OF_ALL = ("taken", "steps")
"""What every shard counts for itself, and all have done together."""


class Done(Value):
    """What a shard has done, or all of them."""

    taken: int = Field(0, description="Steps of the training, those of earlier starts too.")
    steps: int = Field(0, description="Taken since.")
    pushes: int = Field(0, description="Shares of steps that came.")
    repeated: int = Field(0, description="Shares that came again, and were not learned from again.")
    held: int = Field(0, description="Rows that take room.")
    moved: int = Field(0, description="Rows that moved, each step's counted.")
    dropped: int = Field(0, description="Gradients of rows that are too rare to be held.")
    lost: int = Field(0, description="Steps that a shard has not learned from, since it was restored from a snapshot.")
    takeovers: int = Field(0, description="Times that another process came to stand for a shard.")
    snapshots: int = Field(0, description="Written by shards.")
    snapshots_failed: int = Field(0, description="That could not be: the disk was full, say.")
    bytes_moved: int = Field(0, description="Of rows and gradients that came and went.")
    forgotten: int = Field(0, description="Rows that no step had learned from for long.")
    staleness: dict[int, int] = Field({}, description="Shares by the steps taken between their look-up and their own.")
    waited: dict[int, float] = Field({}, description="Seconds that look-ups waited, by share of a step.")

    @classmethod
    def together(cls, shards: Sequence[Self]) -> Self:
        """Return what all shards have done; a step is taken by each of them."""
        staleness, waited = Counter[int](), Counter[int]()
        for each in shards:
            staleness.update(each.staleness)
            waited.update(each.waited)
        summed = {
            name: sum(getattr(each, name) for each in shards)
            for name in cls.model_fields.keys() - {"staleness", "waited", *_OF_ALL}
        }
        of_all = {name: max(getattr(each, name) for each in shards) for name in _OF_ALL}
        return cls(staleness=staleness, waited=waited, **of_all, **summed)

    @property
    def mean_staleness(self) -> float:
        """Return how many steps were missing in what a step had read, on average."""
        return sum(steps * count for steps, count in self.staleness.items()) / max(sum(self.staleness.values()), 1)

    def metrics(self) -> dict[str, float]:
        """Return numbers to be kept."""
        counts = self.model_dump(exclude={"staleness", "waited"})
        staleness = {"staleness_mean": self.mean_staleness, "staleness_most": max(self.staleness, default=0)}
        by_steps = {f"staleness/{steps}": count for steps, count in sorted(self.staleness.items())}
        waited = {f"waited_seconds/trainer_{share}": seconds for share, seconds in sorted(self.waited.items())}
        return {**counts, **staleness, **by_steps, **waited}

    def __str__(self) -> str:
        return (
            f"{self.steps:,} steps, {self.held:,} rows held, {self.moved / max(self.steps, 1):,.0f} moved in a step, "
            f"staleness {self.mean_staleness:.2f} (at most {max(self.staleness, default=0)}), look-ups waited "
            f"{max(self.waited.values(), default=0.0):.1f} s, {self.repeated:,} pushes came again, "
            f"{self.dropped:,} gradients of rare rows were dropped, {self.bytes_moved / 1e6:,.0f} MB came and went"
            + (f", {self.lost:,} STEPS ARE LOST with shards that were killed" if self.lost else "")
            + (f", {self.snapshots_failed:,} SNAPSHOTS COULD NOT BE WRITTEN" if self.snapshots_failed else "")
        )
