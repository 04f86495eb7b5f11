"""Blocks that others build sequences' networks of, to stand in for the house's own in a measurement.

Shape letters: B rows, L positions, D width, H heads, d of a head, F of a feed-forward layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from models.recommender.config import NetworkConfig
from models.recommender.network import Block

TIME_BUCKETS = 64


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


class Times:
    """When what stands at each place of the batch at hand was met, seconds, int64 (B, L); None: not known."""

    second_BL: Tensor | None = None


class Hstu(nn.Module):
    """Pointwise attention without softmax, gated, with biases for how far back and how long ago.

    Source: Zhai et al., "Actions speak louder than words" (HSTU), ICML 2024, with relative times in log buckets.
    """

    def __init__(self, config: NetworkConfig, max_length: int, times: Times) -> None:
        super().__init__()
        D = config.width
        self.heads, self.max_length, self.times = config.heads, max_length, times
        self.norm, self.gated_norm = nn.LayerNorm(D), nn.LayerNorm(D)
        self.joined, self.out = nn.Linear(D, 4 * D), nn.Linear(D, D)
        self.dropout = nn.Dropout(config.dropout)
        self.distance_L = nn.Parameter(0.02 * torch.randn(max_length))
        self.ago_T = nn.Parameter(0.02 * torch.randn(TIME_BUCKETS))

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        B, L, D = state_BLD.shape
        gate_BLD, *parts = silu(self.joined(self.norm(state_BLD))).chunk(4, dim=-1)
        value, query, key = (part.view(B, L, self.heads, -1).transpose(1, 2) for part in parts)
        place_L = torch.arange(L)
        back_LL = place_L[:, None] - place_L
        score_BHLL = query @ key.transpose(-1, -2) + self.distance_L[back_LL.clamp(min=0)]
        if self.times.second_BL is not None:
            ago_BLL = (self.times.second_BL[:, :, None] - self.times.second_BL[:, None, :]).clamp(min=1)
            bucket_BLL = (ago_BLL.float().log() / 0.301).long().clamp(max=TIME_BUCKETS - 1)
            score_BHLL = score_BHLL + self.ago_T[bucket_BLL][:, None]
        weight_BHLL = silu(score_BHLL).masked_fill(back_LL < 0, 0) / self.max_length
        mixed_BLD = (weight_BHLL @ value).transpose(1, 2).reshape(B, L, D)
        changed_BLD: Tensor = state_BLD + self.out(self.dropout(self.gated_norm(mixed_BLD) * gate_BLD))
        return changed_BLD
