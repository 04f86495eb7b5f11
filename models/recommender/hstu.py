"""HSTU's block: attention without softmax that knows how far back an item stands, and how long ago it was met.

Shape letters: B rows, L positions, D width, H heads, T buckets of time; a state has E = D + 1 numbers, its second last.

Source: Zhai et al., "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for Generative
Recommendations" (HSTU), ICML 2024: equations 1 to 3, relative attention bias by place and by logarithm of time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from models.recommender.config import NetworkConfig

BUCKETS = 64
"""T: each reaches `FACTOR` times as long back as the one before, from a second on; the last has no end (5 years)."""
FACTOR = 1.35
BIAS_STD = 0.02


class HstuBlock(nn.Module):
    """Gated attention by `silu`, whose weights do not add up to one: that much happened lately counts, too."""

    def __init__(self, config: NetworkConfig, max_length: int) -> None:
        super().__init__()
        D = config.width
        self.heads, self.max_length = config.heads, max_length
        self.norm, self.mixed_norm = nn.LayerNorm(D), nn.LayerNorm(D)
        self.gate_value_query_key = nn.Linear(D, 4 * D)
        self.out = nn.Linear(D, D)
        self.dropout = nn.Dropout(config.dropout)
        self.back_L = nn.Parameter(BIAS_STD * torch.randn(max_length))
        self.ago_T = nn.Parameter(BIAS_STD * torch.randn(BUCKETS))

    def forward(self, state_BLE: Tensor) -> Tensor:
        """Return float (B, L, D + 1) for float (B, L, D + 1); seconds stay as they are."""
        state_BLD, second_BL1 = state_BLE[..., :-1], state_BLE[..., -1:]
        B, L, _ = state_BLD.shape
        gate_BLD, *parts = silu(self.gate_value_query_key(self.norm(state_BLD))).chunk(4, dim=-1)
        value_BHLd, query_BHLd, key_BHLd = (part.view(B, L, self.heads, -1).transpose(1, 2) for part in parts)
        weight_BHLL = silu(query_BHLd @ key_BHLd.transpose(-1, -2) + self._bias(second_BL1)[:, None])
        mixed_BHLd = weight_BHLL.tril() @ (value_BHLd / self.max_length)
        mixed_BLD = self.mixed_norm(mixed_BHLd.transpose(1, 2).flatten(2)) * gate_BLD
        return torch.cat([state_BLD + self.out(self.dropout(mixed_BLD)), second_BL1], dim=-1)

    def _bias(self, second_BL1: Tensor) -> Tensor:
        """Return what place and time add to the attention of each place to each before it, (B, L, L).

        Time adds nothing within a second: so a history without times is one that was met at once.
        """
        place_L = torch.arange(second_BL1.shape[1], device=second_BL1.device)
        back_LL = (place_L[:, None] - place_L).clamp(min=0)
        ago_BLL = (second_BL1 - second_BL1.transpose(1, 2)).detach().clamp(min=0.5)
        bucket_BLL = (ago_BLL.log() / math.log(FACTOR)).floor().long().clamp(-1, BUCKETS - 1) + 1
        return self.back_L[back_LL] + nn.functional.pad(self.ago_T, (1, 0))[bucket_BLL]
