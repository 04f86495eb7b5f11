from __future__ import annotations

import numpy as np
import pytest
import torch

from models.recommender.config import NetworkConfig, SampledSoftmax
from models.recommender.losses import NegativeSampler, full_softmax, sampled_softmax
from models.recommender.network import SequenceNetwork
from models.rows.table import Rows

COUNTS = np.array([0, 1, 4, 9, 16, 100])


@pytest.fixture
def item() -> Rows:
    torch.manual_seed(0)
    network = SequenceNetwork(5, 4, NetworkConfig(width=8)).double()
    torch.nn.init.normal_(network.item.weight)
    return network.item


def test_full_softmax_is_the_summed_cross_entropy_without_padding(item: Rows) -> None:
    state_MD, target_M = torch.randn(3, 8, dtype=torch.float64), torch.tensor([1, 5, 2])
    scores = state_MD @ item.weight[1:].T
    expected = (scores.logsumexp(1) - scores[torch.arange(3), target_M - 1]).sum()
    torch.testing.assert_close(full_softmax(item, state_MD, target_M), expected)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_sampled_softmax_adds_up_to_the_full_one_on_average(item: Rows, alpha: float) -> None:
    state_MD, target_M = torch.randn(2, 8, dtype=torch.float64), torch.tensor([5, 2])
    sampler = NegativeSampler(COUNTS, SampledSoftmax(negatives=50_000, alpha=alpha), seed=0)
    sampled = sampled_softmax(item, state_MD, target_M, *sampler.draw(step=0))
    torch.testing.assert_close(sampled, full_softmax(item, state_MD, target_M), rtol=0.02, atol=0.02)


def test_a_negative_that_is_the_target_is_left_out(item: Rows) -> None:
    state_MD, target_M = torch.randn(1, 8, dtype=torch.float64), torch.tensor([3])
    hit = sampled_softmax(item, state_MD, target_M, torch.tensor([3, 3]), torch.zeros(2))
    assert hit.item() == 0.0


def test_items_are_drawn_by_their_counts_and_padding_never() -> None:
    sampler = NegativeSampler(COUNTS, SampledSoftmax(negatives=100_000, alpha=0.5), seed=0)
    drawn, log_expected = sampler.draw(step=0)
    share = np.bincount(drawn.numpy(), minlength=6) / 100_000
    np.testing.assert_allclose(share, np.sqrt(COUNTS) / np.sqrt(COUNTS).sum(), atol=0.01)
    np.testing.assert_allclose(log_expected.exp().numpy() / 100_000, share[drawn.numpy()], atol=0.01)


def test_draws_follow_from_seed_and_step_alone() -> None:
    config = SampledSoftmax(negatives=20)
    first, again, other = (NegativeSampler(COUNTS, config, seed) for seed in (0, 0, 1))
    again.draw(step=6)
    assert torch.equal(first.draw(step=7)[0], again.draw(step=7)[0])
    assert not torch.equal(first.draw(step=7)[0], first.draw(step=8)[0])
    assert not torch.equal(first.draw(step=7)[0], other.draw(step=7)[0])
