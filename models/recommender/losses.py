"""What is minimised: cross-entropy over all items, or over sampled ones. Shape letters: M states, K items, D width.

Both return a sum over targets, not a mean: who knows the number of targets in the global batch divides.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.recommender.config import SampledSoftmax
from models.recommender.network import Head


def full_softmax(head: Head, state_MD: Tensor, target_M: Tensor) -> Tensor:
    """Return the summed cross-entropy of the targets among all items."""
    logit_MN = state_MD @ head.item.weight[1:].T  # without padding, rather than at -inf: that is dear on the way back
    return cross_entropy(logit_MN, target_M - 1, reduction="sum")


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
    head: Head, state_MD: Tensor, target_M: Tensor, negative_K: Tensor, log_expected_K: Tensor
) -> Tensor:
    """Return the summed cross-entropy of the targets among themselves and the negatives.

    The negatives stand for all items but the target, so each weighs one over how often it was expected, and one
    that is the target itself is left out; then the sum in the denominator is right on average.

    Source:
        Bengio and Senecal, "Adaptive importance sampling to accelerate training of a neural probabilistic language
        model", 2008; the target itself uncorrected: Khrylchenko et al., "Correcting the LogQ correction", 2025.
    """
    target_logit_M = (state_MD * head.item(target_M)).sum(dim=1)
    logit_MK = head.logits(state_MD, negative_K) - log_expected_K.to(state_MD)
    logit_MK = logit_MK.masked_fill(negative_K == target_M[:, None], float("-inf"))
    log_total_M = torch.cat([target_logit_M[:, None], logit_MK], dim=1).logsumexp(dim=1)
    total: Tensor = (log_total_M - target_logit_M).sum()
    return total
