"""Made-up walks around a circle of items: the next one is nearly always the neighbour, which is quickly learned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.models.recommender.tables import Events

ITEMS = 40


def walks(windows: Mapping[str, int], *, users: int, seed: int = 0) -> dict[str, dict[str, Events]]:
    """Return, for every window, as many steps of each user; item numbers from 1, in order of first window."""
    random = np.random.default_rng(seed)
    place = random.integers(ITEMS, size=users)
    made: dict[str, dict[str, Events]] = {}
    for window, steps in windows.items():
        path = place[:, None] + np.cumsum(1 + (random.random((users, steps)) < 0.1), axis=1)
        place = path[:, -1] % ITEMS
        made[window] = {f"user-{user}": (path[user] % ITEMS + 1).tolist() for user in range(users)}
    return made
