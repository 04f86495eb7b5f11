"""SASRec's network: plain PyTorch, no logging. Shape letters: B rows, L positions, D width, H heads, N items, M states.

Padding (item 0) is on the right and attention looks only back, so no state ever depends on padding.

Positions are learned as distances: what "the item before the last" means is learned once, for every place in a
history, and not place by place. On the made-up shop this took NDCG@10 after ten epochs from 0.17 to 0.27.

Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, with pre-norm blocks; distances that
start as in Press et al., "Train short, test long" (ALiBi), ICLR 2022, and are learned as in Raffel et al. (T5), 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from models.network import LayeredNetwork
from models.recommender.config import NetworkConfig

INITIAL_STD = 0.02
FEED_FORWARD_RATIO = 4


class Embedding(nn.Module):
    """From items to states."""

    def __init__(self, item: nn.Embedding, dropout: float) -> None:
        super().__init__()
        self.item = item
        self.dropout = nn.Dropout(dropout)

    def forward(self, item_BL: Tensor) -> Tensor:
        """Return float (B, L, D) for item numbers int64 (B, L)."""
        state_BLD: Tensor = self.dropout(self.item(item_BL))
        return state_BLD


class Block(nn.Module):
    """One transformer block: attention to what came before, then a feed-forward layer, each added to its input."""

    def __init__(self, config: NetworkConfig, max_length: int) -> None:
        super().__init__()
        D = config.width
        self.heads = config.heads
        slope_H = 2.0 ** (-8 / config.heads * torch.arange(config.heads))
        self.distance_HL = nn.Parameter(-slope_H[:, None] * torch.arange(max_length))
        self.attention_norm = nn.LayerNorm(D)
        self.query_key_value = nn.Linear(D, 3 * D)
        self.attention_out = nn.Linear(D, D)
        self.feed_forward_norm = nn.LayerNorm(D)
        self.feed_forward = nn.Sequential(
            nn.Linear(D, FEED_FORWARD_RATIO * D),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(FEED_FORWARD_RATIO * D, D),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        state_BLD = state_BLD + self.dropout(self._attend(self.attention_norm(state_BLD)))
        changed_BLD: Tensor = state_BLD + self.dropout(self.feed_forward(self.feed_forward_norm(state_BLD)))
        return changed_BLD

    def _attend(self, state_BLD: Tensor) -> Tensor:
        B, L, D = state_BLD.shape
        heads_BL3Hd = self.query_key_value(state_BLD).view(B, L, 3, self.heads, D // self.heads)
        query, key, value = heads_BL3Hd.permute(2, 0, 3, 1, 4)
        drop = self.dropout.p if self.training else 0.0
        bias_HLL = self._bias(L).to(query.dtype)
        mixed_BHLd = scaled_dot_product_attention(query, key, value, attn_mask=bias_HLL, dropout_p=drop)
        mixed: Tensor = self.attention_out(mixed_BHLd.transpose(1, 2).reshape(B, L, D))
        return mixed

    def _bias(self, length: int) -> Tensor:
        """Return what is added to attention by how far back it looks, float (H, L, L); -inf ahead."""
        place_L = torch.arange(length, device=self.distance_HL.device)
        back_LL = place_L[:, None] - place_L
        return self.distance_HL[:, back_LL.clamp(min=0)].masked_fill(back_LL < 0, float("-inf"))


class Head(nn.Module):
    """From states to scores, by the same item embedding that the network reads."""

    def __init__(self, item: nn.Embedding) -> None:
        super().__init__()
        self.item = item
        self.norm = nn.LayerNorm(item.embedding_dim)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return the states that `logits` scores, float (B, L, D)."""
        normed: Tensor = self.norm(state_BLD)
        return normed

    def logits(self, state_MD: Tensor, item_K: Tensor | None = None) -> Tensor:
        """Return float (M, K) for the items ``item_K``; for every item, (M, N + 1), when omitted, padding at -inf."""
        if item_K is not None:
            chosen: Tensor = state_MD @ self.item(item_K).T
            return chosen
        logits_MN = state_MD @ self.item.weight.T
        logits_MN[:, 0] = float("-inf")
        return logits_MN


class SasRec(LayeredNetwork):
    """Next-item network over items 1..N: one state per position, float (B, L, D), for item numbers int64 (B, L).

    Args:
        items: N: how many items it knows.
        max_length: L: longest history that it reads.
        config: Its shape.
    """

    def __init__(self, items: int, max_length: int, config: NetworkConfig) -> None:
        super().__init__()
        self.items = items
        self.max_length = max_length
        item = nn.Embedding(items + 1, config.width, padding_idx=0)
        self.embedding = Embedding(item, config.dropout)
        self.blocks = nn.ModuleList(Block(config, max_length) for _ in range(config.blocks))
        self.head = Head(item)
        self.apply(_initialise)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order; each takes what the one before returns, so the list can be cut anywhere."""
        return [self.embedding, *self.blocks, self.head]

    def scores(self, item_BL: Tensor) -> Tensor:
        """Return the scores of all items as the next of each row, float (B, N + 1); column 0, padding, is -inf.

        Args:
            item_BL: int64, oldest first, 0 = padding on the right; a row holds an item at least, B may be 0.
        """
        last_B = (item_BL != 0).sum(dim=1) - 1
        state_BLD = self(item_BL)
        return self.head.logits(state_BLD[torch.arange(len(item_BL), device=item_BL.device), last_B])


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_STD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])
