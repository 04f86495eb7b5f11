"""Batches of which the next one's rows are looked up while the one before is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.layered import Batch, Loader


class Ahead:
    """A loader that is one batch ahead.

    Args:
        loader: Of a pass.
        look_up: Is told each batch before it is wanted.
    """

    def __init__(self, loader: Loader, look_up: Callable[[Batch], None]) -> None:
        self._loader, self._look_up = loader, look_up
        self._state = loader.state_dict()

    @property
    def examples(self) -> int:
        """Return how many the pass has, over all processes."""
        return self._loader.examples

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self._loader)
        batch = self._next(batches)
        while batch is not None:
            self._state = self._loader.state_dict()
            following = self._next(batches)
            yield batch
            batch = following

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        batch = next(batches, None)
        if batch is not None:
            self._look_up(batch)
        return batch

    def state_dict(self) -> dict[str, int]:
        """Return how far it was handed out, without the batch that it is ahead."""
        return self._state

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self._loader.load_state_dict(state_dict)
        self._state = state_dict
