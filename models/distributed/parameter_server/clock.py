"""The clock of a shard: which steps were taken, and for which of those to come its state may be read already.

A step is everything at once: a number in the training's order of batches, what a trainer leases, and the name of a
push. So a push that comes twice, from whomever, is known, and each batch counts once.

**Staleness** of a step is how many others were taken between its look-up and its own. A step may be looked up once all
steps are taken that lie more than τ before it: at any time the steps that are looked up and not taken lie within τ + 1
neighbours. Between a step's look-up and its end at most τ before it and τ behind it are taken; with τ = 0 no other.
Only look-ups ever wait, so no trainer waits for one that waits for it.

Source: Ho et al., "More effective distributed ML via a stale synchronous parallel parameter server", NIPS 2013; here
the clock is that of batches and not of workers, so a fast worker does not wait for a slow one that is near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Clock:
    """Which steps were taken; not safe for threads.

    Args:
        staleness: τ; any when None.
        taken: Steps from 0 that were taken before, all of them,
        beyond: and those after them.
    """

    def __init__(self, staleness: int | None, taken: int = 0, beyond: Iterable[int] = ()) -> None:
        self.staleness, self.taken = staleness, taken
        self.staleness_seen: Counter[int] = Counter()
        self._beyond = set(beyond)
        self._close_up()
        self._looked_up: dict[tuple[int, int], int] = {}

    @property
    def beyond(self) -> tuple[int, ...]:
        """Return the steps that were taken before an earlier one."""
        return tuple(sorted(self._beyond))

    @property
    def count(self) -> int:
        """Return how many steps were taken, in whatever order."""
        return self.taken + len(self._beyond)

    def is_taken(self, step: int) -> bool:
        """Whether it was."""
        return step < self.taken or step in self._beyond

    def may_look_up(self, step: int) -> bool:
        """Whether what it reads would be fresh enough."""
        return self.staleness is None or self.taken >= step - self.staleness

    def look_up(self, step: int, share: int) -> None:
        """Remember what a share of a step has read, the last time that it did."""
        self._looked_up[step, share] = self.count

    def take(self, step: int, shares: int) -> None:
        """Count a step of so many shares."""
        for share in range(shares):
            seen = self._looked_up.pop((step, share), None)
            if seen is not None:
                self.staleness_seen[self.count - seen] += 1
        self._beyond.add(step)
        self._close_up()

    def go_on(self, taken: int, beyond: Iterable[int]) -> list[int]:
        """Count steps that others say were taken, without having learned from them; return these."""
        lost = [step for step in (*range(self.taken, taken), *beyond) if not self.is_taken(step)]
        self._beyond.update(lost)
        self._close_up()
        return lost

    def _close_up(self) -> None:
        while self.taken in self._beyond:
            self._beyond.remove(self.taken)
            self.taken += 1

    def missing(self, step: int) -> list[int]:
        """Return the steps that a look-up waits for."""
        return [each for each in range(self.taken, step - (self.staleness or 0)) if each not in self._beyond]
