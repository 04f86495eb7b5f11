from __future__ import annotations

import numpy as np
import pytest

from models.batches import STRETCH, shuffled


def order_of(lengths: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    return shuffled(lengths, size, np.random.default_rng(seed))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 8 * STRETCH, 8 * STRETCH + 3, 1_000])
def test_every_example_is_taken_once_in_an_order_that_follows_from_the_seed(count: int) -> None:
    lengths = np.random.default_rng(1).integers(2, 50, count)
    order = order_of(lengths, 8)
    assert sorted(order.tolist()) == list(range(count))
    assert order.tolist() == order_of(lengths, 8).tolist()
    if count > 8:
        assert order.tolist() != order_of(lengths, 8, seed=1).tolist()


def test_batches_are_of_about_one_length_and_come_in_any_order() -> None:
    lengths = np.random.default_rng(1).geometric(0.1, 6_400)
    batches = lengths[order_of(lengths, 64)].reshape(-1, 64)
    padded = (batches.max(axis=1)[:, None] - batches).sum()
    plain = lengths[np.random.default_rng(0).permutation(6_400)].reshape(-1, 64)
    assert padded < 0.25 * (plain.max(axis=1)[:, None] - plain).sum()
    means = batches.mean(axis=1)
    assert 0.3 < np.mean(means[1:] > means[:-1]) < 0.7


def test_who_is_beside_whom_changes_from_epoch_to_epoch() -> None:
    """Sorting all examples would put the same ones together in every epoch."""
    lengths = np.arange(6_400) // 2
    first, second = ({frozenset(batch) for batch in order_of(lengths, 64, seed).reshape(-1, 64)} for seed in (0, 1))
    pairs = [{pair for batch in batches for pair in zip(sorted(batch), sorted(batch)[1:], strict=False)}
             for batches in (first, second)]  # fmt: skip
    assert len(pairs[0] & pairs[1]) < 0.2 * len(pairs[0])
