"""Blocks that others build sequences' networks of, to stand in for the house's own in a measurement.

Shape letters: B rows, L positions, D width, H heads, d of a head, F of a feed-forward layer.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import silu

from models.networks.transformer import Block
from models.recommender.config import NetworkConfig


class Ligr(nn.Module):
    """Gated: attention, and a SwiGLU feed-forward layer, are let in by a gate each; places as in the house's block.

    Source: Tikhonovich et al., "eSASRec", RecSys 2025; Borisyuk et al., "LiGR", 2025.
    """

    def __init__(self, config: NetworkConfig, max_length: int) -> None:
        super().__init__()
        D, F = config.width, 4 * config.width
        self.plain = Block(config, max_length)
        self.attention_gate, self.feed_forward_gate = nn.Linear(D, D), nn.Linear(D, D)
        self.gate, self.up, self.down = nn.Linear(D, F), nn.Linear(D, F), nn.Linear(F, D)
        self.plain.feed_forward = nn.Sequential()

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        plain = self.plain
        mixed_BLD = plain.dropout(plain._attend(plain.attention_norm(state_BLD)))
        state_BLD = state_BLD + mixed_BLD * self.attention_gate(state_BLD).sigmoid()
        normed_BLD = plain.feed_forward_norm(state_BLD)
        fed_BLD = plain.dropout(self.down(silu(self.gate(normed_BLD)) * self.up(normed_BLD)))
        changed_BLD: Tensor = state_BLD + fed_BLD * self.feed_forward_gate(state_BLD).sigmoid()
        return changed_BLD
