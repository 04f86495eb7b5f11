"""HSTU's block against its definition, one pair of places at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu

from models.recommender.config import NetworkConfig
from models.recommender.hstu import BUCKETS, FACTOR, HstuBlock

D, LENGTH = 4, 6
SECONDS = [0.0, 0.0, 1.0, 2.0, 3_600.0, 1e9]


@pytest.fixture
def block() -> HstuBlock:
    torch.manual_seed(0)
    made = HstuBlock(NetworkConfig(kind="hstu", width=D, heads=2), LENGTH).double().eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def state(seconds: list[float]) -> Tensor:
    torch.manual_seed(1)
    second_L1 = torch.tensor(seconds, dtype=torch.float64)[:, None]
    return torch.cat([torch.randn(LENGTH, D).double(), second_L1], dim=1)[None]


def bucket(ago: float) -> int:
    """Which of the times it is: the n-th begins after FACTOR^n seconds."""
    return max(number for number in range(BUCKETS) if ago >= FACTOR**number)


def plain(block: HstuBlock, state_LC: Tensor) -> Tensor:
    """What the paper says: gate * norm(sum over what came before of silu(score + bias) * value / L), mapped, added."""
    state_LD, second = state_LC[:, :-1], state_LC[:, -1].tolist()
    gate_LD, value_LD, query_LD, key_LD = silu(block.gate_value_query_key(block.norm(state_LD))).chunk(4, dim=-1)
    mixed_LD = torch.zeros_like(state_LD)
    for head in (slice(0, 2), slice(2, 4)):
        for place in range(LENGTH):
            for before in range(place + 1):
                score = query_LD[place, head] @ key_LD[before, head] + block.back_L[place - before]
                ago = second[place] - second[before]
                if ago >= 1:
                    score = score + block.ago_T[bucket(ago)]
                mixed_LD[place, head] += silu(score) * value_LD[before, head] / block.max_length
    return state_LD + block.out(block.mixed_norm(mixed_LD) * gate_LD)


def test_a_block_computes_its_definition(block: HstuBlock) -> None:
    state_BLC = state(SECONDS)
    with torch.no_grad():
        changed_BLC = block(state_BLC)
        torch.testing.assert_close(changed_BLC[0, :, :-1], plain(block, state_BLC[0]))
    assert changed_BLC[..., -1].equal(state_BLC[..., -1])


def test_how_long_ago_counts_and_when_does_not(block: HstuBlock) -> None:
    with torch.no_grad():
        changed, later, spread = (
            block(state(seconds))[..., :-1]
            for seconds in (SECONDS, [second + 86_400 for second in SECONDS], [3 * second for second in SECONDS])
        )
    torch.testing.assert_close(changed, later)
    assert not torch.allclose(changed, spread)


def test_the_longest_times_are_one(block: HstuBlock) -> None:
    years = 6 * 365 * 86_400
    assert bucket(years) == BUCKETS - 1
    with torch.no_grad():
        six, twelve = (block(state([0.0] * 5 + [float(ago)])) for ago in (years, 2 * years))
    torch.testing.assert_close(six[..., :-1], twelve[..., :-1])
