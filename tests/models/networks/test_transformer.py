from __future__ import annotations

import pytest
import torch

from models.networks.config import TransformerConfig
from models.networks.transformer import Block

L, D = 12, 16


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block(TransformerConfig(width=D, heads=4), L).eval()


@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 1, 1, 5], [3, 7, 2]])
@torch.no_grad()
def test_a_row_that_comes_in_pieces_is_read_as_one_that_comes_whole(block: Block, pieces: list[int]) -> None:
    state_BLD = torch.randn(3, L, D)
    found, past = [], None
    for piece in state_BLD.split(pieces, dim=1):
        changed, past = block.further(piece, past)
        found.append(changed)
    assert past is not None
    assert past.shape == (2, 3, 4, L, D // 4)
    torch.testing.assert_close(torch.cat(found, dim=1), block(state_BLD), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_place_knows_nothing_of_later_ones(block: Block) -> None:
    state_BLD = torch.randn(1, L, D)
    other_BLD = torch.cat([state_BLD[:, :7], torch.randn(1, 5, D)], dim=1)
    torch.testing.assert_close(block(state_BLD)[:, :7], block(other_BLD)[:, :7])
