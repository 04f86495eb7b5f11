"""Batches that a trainer takes whole, as many as it can, while others take the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from models.batches import Batches
from models.layered import Batch


class Leased:
    """The batches of a pass that this trainer has a lease of, then idle ones: every trainer has as many turns.

    Args:
        batches: Of the pass, whole.
        lease: Returns a step to work on; None once all steps of the pass were taken.
    """

    def __init__(self, batches: Batches, lease: Callable[[range], int | None]) -> None:
        self._batches, self._lease = batches, lease
        self._turns = 0

    @property
    def examples(self) -> int:
        """Return how many the pass has, over all processes."""
        return self._batches.examples

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        first = self._batches.first_step
        steps, is_done = range(first, first + len(self)), False
        while self._turns < len(self):
            step = None if is_done else self._lease(steps)
            is_done = step is None
            turn, self._turns = self._turns, self._turns + 1
            batch = self._batches.idle() if step is None else self._batches.at(step - first)
            yield replace(batch, examples=self._batches.size(turn))  # who counts them over all turns has every example

    def state_dict(self) -> dict[str, int]:
        """Return how many turns there were."""
        return {"taken": self._turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self._turns = state_dict["taken"]
