"""Blocks of networks that are trained no more, but answer until others take their place.

Shape letters: B rows, L positions, D width, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from models.recommender.config import NetworkConfig

FEED_FORWARD_RATIO = 4


class DistanceBlock(nn.Module):
    """Of bundles up to format 2: each head has learned what each distance adds to attention."""

    def __init__(self, config: NetworkConfig, max_length: int) -> None:
        super().__init__()
        D = config.width
        self.heads = config.heads
        self.distance_HL = nn.Parameter(torch.zeros(config.heads, max_length))
        self.attention_norm = nn.LayerNorm(D)
        self.query_key_value = nn.Linear(D, 3 * D)
        self.attention_out = nn.Linear(D, D)
        self.feed_forward_norm = nn.LayerNorm(D)
        self.feed_forward = nn.Sequential(
            nn.Linear(D, FEED_FORWARD_RATIO * D), nn.GELU(), nn.Identity(), nn.Linear(FEED_FORWARD_RATIO * D, D)
        )

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        state_BLD = state_BLD + self._attend(self.attention_norm(state_BLD))
        changed_BLD: Tensor = state_BLD + self.feed_forward(self.feed_forward_norm(state_BLD))
        return changed_BLD

    def _attend(self, state_BLD: Tensor) -> Tensor:
        B, L, D = state_BLD.shape
        heads_BL3Hd = self.query_key_value(state_BLD).view(B, L, 3, self.heads, D // self.heads)
        query, key, value = heads_BL3Hd.permute(2, 0, 3, 1, 4)
        place_L = torch.arange(L, device=state_BLD.device)
        back_LL = place_L[:, None] - place_L
        bias_HLL = self.distance_HL[:, back_LL.clamp(min=0)].masked_fill(back_LL < 0, float("-inf"))
        mixed_BHLd = scaled_dot_product_attention(query, key, value, attn_mask=bias_HLL.to(query.dtype))
        mixed: Tensor = self.attention_out(mixed_BHLd.transpose(1, 2).reshape(B, L, D))
        return mixed
