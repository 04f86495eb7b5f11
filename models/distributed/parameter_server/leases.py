"""Which trainer works on which step: leased to whoever asks, given back when it dies.

A lease is given once its step may be looked up (see `models.distributed.parameter_server.clock`), so who has one waits
for nobody. Steps that were given back go first, so none is left behind.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from models.distributed.parameter_server.clock import Clock


class Lease(NamedTuple):
    """What a trainer hears that asked for a step.

    Attributes:
        step: To work on; None where there is none now.
        is_done: Whether all steps of the pass were taken.
    """

    step: int | None
    is_done: bool


class Leases:
    """The steps of one pass, in order; not safe for threads.

    Args:
        steps: Their numbers.
        staleness: See `Clock`.
        taken: Those among them that were taken before.
        start: Of the trainers, see `Placement`.
    """

    def __init__(self, steps: range, staleness: int | None, taken: Iterable[int] = (), *, start: int = 0) -> None:
        self.steps, self.start = steps, start
        self._clock = Clock(staleness, steps.start, taken)
        self._free = [step for step in steps if not self._clock.is_taken(step)]  # what is in order is a heap
        self._of: dict[int, str] = {}

    @property
    def is_done(self) -> bool:
        """Whether every step was taken."""
        return not self._free and not self._of

    def lease(self, trainer: str) -> int | None:
        """Return a step to work on; None while there is none: ask again, unless `is_done`."""
        if not self._free or not self._clock.may_look_up(self._free[0]):
            return None
        step = heapq.heappop(self._free)
        self._of[step] = trainer
        return step

    def end(self, step: int) -> None:
        """Count a step: all shards have taken it. Whoever else works on it by now works for nothing."""
        if step not in self.steps or self._clock.is_taken(step):
            return
        if self._of.pop(step, None) is None:
            self._free.remove(step)
            heapq.heapify(self._free)
        self._clock.take(step, 0)

    def give_back(self, trainer: str) -> list[int]:
        """Return the steps that a trainer had, and that others may have now."""
        freed = [step for step, other in self._of.items() if other == trainer]
        for step in freed:
            del self._of[step]
            heapq.heappush(self._free, step)
        return freed
