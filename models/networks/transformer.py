"""Transformer blocks that look only back: plain PyTorch. Shape letters: B rows, L positions, D width, H heads, C = 3 D.

Places count as distances, see `_places`: "the one before the last" means the same at every place of a row.

Source: Vaswani et al., "Attention is all you need", NIPS 2017, with pre-norm blocks; distances from Press et al.,
"Train short, test long" (ALiBi), ICLR 2022.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

INITIAL_STD = 0.02
FEED_FORWARD_RATIO = 4


class BlockShape(Protocol):
    """What a block is told of its shape; `models.networks.config.TransformerConfig` says it, and others may."""

    @property
    def width(self) -> int:
        """D: numbers of a state."""
        ...

    @property
    def heads(self) -> int:
        """H: of attention."""
        ...

    @property
    def dropout(self) -> float:
        """Share of what a block adds that is dropped while it is trained."""
        ...


class Block(nn.Module):
    """One transformer block: attention to what came before, then a feed-forward layer, each added to its input.

    Args:
        shape: Of it.
        max_length: L: longest row.
    """

    place_LC: Tensor

    def __init__(self, shape: BlockShape, max_length: int) -> None:
        super().__init__()
        D = shape.width
        self.heads = shape.heads
        self.register_buffer("place_LC", _places(D, shape.heads, max_length), persistent=False)
        self.attention_norm = nn.LayerNorm(D)
        self.query_key_value = nn.Linear(D, 3 * D)
        self.attention_out = nn.Linear(D, D)
        self.feed_forward_norm = nn.LayerNorm(D)
        self.feed_forward = nn.Sequential(
            nn.Linear(D, FEED_FORWARD_RATIO * D),
            nn.GELU(),
            nn.Linear(FEED_FORWARD_RATIO * D, D),
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        return self._added(state_BLD, self._attend(self.attention_norm(state_BLD)))

    def further(self, state_BLD: Tensor, past_2BHPd: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what `forward` would at the last L places of a row, and keys and values of all its places.

        Args:
            state_BLD: Of these places.
            past_2BHPd: Keys and values of the P places before them, as the last call returned them; None at the
                beginning of a row.
        """
        before = 0 if past_2BHPd is None else past_2BHPd.shape[-2]
        query, key, value = self._heads(self.attention_norm(state_BLD), before=before)
        own = torch.stack([key, value])
        whole = own if past_2BHPd is None else torch.cat([past_2BHPd, own], dim=-2)
        L = own.shape[-2]
        sees = torch.ones(L, before + L, dtype=torch.bool, device=own.device).tril(before)
        mixed_BHLd = scaled_dot_product_attention(query, whole[0], whole[1], attn_mask=sees)
        return self._added(state_BLD, self._out(mixed_BHLd)), whole

    def _attend(self, state_BLD: Tensor) -> Tensor:
        query, key, value = self._heads(state_BLD, before=0)
        return self._out(scaled_dot_product_attention(query, key, value, is_causal=True))

    def _heads(self, state_BLD: Tensor, *, before: int) -> Tensor:
        """Return queries, keys and values, (3, B, H, L, d), of places with so many before them."""
        B, L, D = state_BLD.shape
        joined_BLC = self.query_key_value(state_BLD)
        joined_BLC = joined_BLC + self.place_LC[before : before + L].to(joined_BLC.dtype)
        heads: Tensor = joined_BLC.view(B, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return heads

    def _out(self, mixed_BHLd: Tensor) -> Tensor:
        mixed: Tensor = self.attention_out(mixed_BHLd.transpose(1, 2).flatten(2))
        return mixed

    def _added(self, state_BLD: Tensor, mixed_BLD: Tensor) -> Tensor:
        """Add to states what attention mixed, and then what the feed-forward layer makes of both."""
        state_BLD = state_BLD + self.dropout(mixed_BLD)
        changed_BLD: Tensor = state_BLD + self.dropout(self.feed_forward(self.feed_forward_norm(state_BLD)))
        return changed_BLD


def _places(width: int, heads: int, max_length: int) -> Tensor:
    """Return what places add to queries, keys and values side by side, float (L, 3 D).

    ALiBi takes ``slope * (i - j)`` off what place i pays to place j. Attention compares the places j of one i alone, so
    ``slope * j`` says the same, and that is a product: of 1 in the first number of i's query and ``slope * j`` in the
    first of j's key. What the layer itself has put there is added, so a state can look farther back, or less far.
    """
    head_width = width // heads
    root = head_width**0.5  # attention divides products by it
    slope_H = 2.0 ** (-8 / heads * torch.arange(heads))  # the first one steeper than ALiBi's (ADR 45)
    place_L3Hd = torch.zeros(max_length, 3, heads, head_width)
    place_L3Hd[:, 0, :, 0] = root
    place_L3Hd[:, 1, :, 0] = slope_H * torch.arange(max_length)[:, None]
    return place_L3Hd.flatten(1)


def initialise(module: nn.Module) -> None:
    """Draw the first weights of a layer, if it is a linear one; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=INITIAL_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
