"""What is minimised: cross-entropy over all items, or over sampled ones. Shape letters: M states, K items, D width.

Both return a sum over targets, not a mean: who knows the number of targets in the global batch divides.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.recommender.config import SampledSoftmax
from models.rows.softmax import cross_entropy
from models.rows.table import Rows


def full_softmax(item: Rows, state_MD: Tensor, target_M: Tensor) -> Tensor:
    """Return the summed cross-entropy of the targets among all items."""
    number_N = torch.arange(1, item.count, device=state_MD.device)
    return cross_entropy(
        state_MD, item(target_M), item(number_N), target_M=target_M, number_K=number_N, expected_K=None
    )


class NegativeSampler:
    """Draws items by how often they were met, the same for every process that asks for the same step.

    Args:
        item_counts: Events of each item, (N + 1,); row 0, padding, is never drawn.
        config: How many, and how much popularity weighs.
        seed: Of all draws.
    """

    def __init__(self, item_counts: NDArray[np.int64], config: SampledSoftmax, seed: int) -> None:
        weight = torch.from_numpy(item_counts).double().clamp(min=1) ** config.alpha
        weight[0] = 0
        self.probability = weight / weight.sum()
        self._cumulative = self.probability.cumsum(0)
        self.negatives = config.negatives
        self.seed = seed

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Return items int64 (K,), repeats possible, and the log of how often each is expected, float32 (K,)."""
        chance_K = torch.from_numpy(np.random.default_rng([self.seed, step]).random(self.negatives))
        item_K = torch.searchsorted(self._cumulative, chance_K, right=True).clamp(max=len(self.probability) - 1)
        return item_K, (self.negatives * self.probability[item_K]).log().float()


def sampled_softmax(
    item: Rows, state_MD: Tensor, target_M: Tensor, negative_K: Tensor, log_expected_K: Tensor
) -> Tensor:
    """Return the summed cross-entropy of the targets among themselves and the negatives.

    The negatives stand for all items but the target, so each weighs one over how often it was expected, and one
    that is the target itself is left out; then the sum in the denominator is right on average.

    Source:
        Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural probabilistic language
        model", 2008; the target itself uncorrected: Khrylchenko et al., "Correcting the LogQ correction", 2025.
    """
    own_MD, row_KD = item(target_M), item(negative_K)
    expected_K = log_expected_K.to(state_MD)
    return cross_entropy(state_MD, own_MD, row_KD, target_M=target_M, number_K=negative_K, expected_K=expected_K)
