"""The network of histories: plain PyTorch, no logging.

Shape letters: B rows, L positions, D width, H heads, C = 3 D, N items; E numbers of a state: D, or D + 1 with its
second. What is read is "met": int64 (B, L, 2), the number of an item, and the second when it was met; only differences
between seconds of a row count.

Padding (item 0) is on the right and attention looks only back, so no state ever depends on padding.

In SASRec's blocks places count as distances, see `_places`: "the item before the last" means the same at every place
in a history. HSTU's blocks are in `models.recommender.hstu`.

Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, with pre-norm blocks; distances from
Press et al., "Train short, test long" (ALiBi), ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from models.network import LayeredNetwork
from models.recommender.config import DISTANCES, NetworkConfig
from models.recommender.former import DistanceBlock
from models.recommender.hstu import HstuBlock
from models.rows.files import Table
from models.rows.table import NOTHING, Rows

INITIAL_STD = 0.02
FEED_FORWARD_RATIO = 4


def inputs_of(item_BL: Tensor, second_BL: Tensor | None = None) -> Tensor:
    """Return what a network reads, int64 (B, L, 2); without seconds, all was met at once."""
    return torch.stack([item_BL, torch.zeros_like(item_BL) if second_BL is None else second_BL], dim=-1)


class Embedding(nn.Module):
    """From items to states; where blocks know times, a state's last number is the second, since the row's first."""

    def __init__(self, item: Table, config: NetworkConfig) -> None:
        super().__init__()
        self.item = item
        self.item_dropout = config.item_dropout
        self.knows_times = config.knows_times
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, met_BL2: Tensor) -> Tensor:
        """Return float (B, L, E) for int64 (B, L, 2)."""
        item_BL = met_BL2[..., 0].contiguous()
        if self.training and self.item_dropout:
            chance_BL = torch.rand(item_BL.shape, device=item_BL.device)
            item_BL = item_BL.masked_fill(chance_BL < self.item_dropout, NOTHING)
        state_BLD: Tensor = self.dropout(self.item(item_BL))
        if not self.knows_times:
            return state_BLD
        second_BL1 = met_BL2[..., 1:]
        return torch.cat([state_BLD, (second_BL1 - second_BL1[:, :1]).to(state_BLD.dtype)], dim=-1)


class Block(nn.Module):
    """One transformer block: attention to what came before, then a feed-forward layer, each added to its input."""

    place_LC: Tensor

    def __init__(self, config: NetworkConfig, max_length: int) -> None:
        super().__init__()
        D = config.width
        self.heads = config.heads
        self.register_buffer("place_LC", _places(config, max_length), persistent=False)
        self.attention_norm = nn.LayerNorm(D)
        self.query_key_value = nn.Linear(D, 3 * D)
        self.attention_out = nn.Linear(D, D)
        self.feed_forward_norm = nn.LayerNorm(D)
        self.feed_forward = nn.Sequential(
            nn.Linear(D, FEED_FORWARD_RATIO * D),
            nn.GELU(),
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
        joined_BLC = self.query_key_value(state_BLD)
        joined_BLC = joined_BLC + self.place_LC[:L].to(joined_BLC.dtype)
        query, key, value = joined_BLC.view(B, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mixed_BHLd = scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed: Tensor = self.attention_out(mixed_BHLd.transpose(1, 2).reshape(B, L, D))
        return mixed


def _places(config: NetworkConfig, max_length: int) -> Tensor:
    """Return what places add to queries, keys and values side by side, float (L, 3 D).

    ALiBi takes ``slope * (i - j)`` off what place i pays to place j. Attention compares the places j of one i alone, so
    ``slope * j`` says the same, and that is a product: of 1 in the first number of i's query and ``slope * j`` in the
    first of j's key. What the layer itself has put there is added, so a state can look farther back, or less far.
    """
    head_width = config.width // config.heads
    root = head_width**0.5  # attention divides products by it
    slope_H = 2.0 ** (-8 / config.heads * torch.arange(config.heads))  # the first one steeper than ALiBi's (ADR 45)
    place_L3Hd = torch.zeros(max_length, 3, config.heads, head_width)
    place_L3Hd[:, 0, :, 0] = root
    place_L3Hd[:, 1, :, 0] = slope_H * torch.arange(max_length)[:, None]
    return place_L3Hd.flatten(1)


class Head(nn.Module):
    """From states to those that are scored, by rows of the items.

    A pipeline's last stage takes the gradient of all that its layers have, so the head has the rows, too.
    """

    def __init__(self, item: Table) -> None:
        super().__init__()
        self.item = item
        self.norm = nn.LayerNorm(item.width)

    def forward(self, state_BLE: Tensor) -> Tensor:
        """Return the states whose products with items' rows are scores, float (B, L, D)."""
        normed: Tensor = self.norm(state_BLE[..., : self.item.width])
        return normed


BLOCKS: dict[str, type[Block | HstuBlock | DistanceBlock]] = {
    "sasrec": Block,
    "hstu": HstuBlock,
    DISTANCES: DistanceBlock,
}
"""Kind of network to what it is built of."""


class SequenceNetwork(LayeredNetwork):
    """Next-item network over items 1..N: one state per position, float (B, L, D), for what was met, int64 (B, L, 2).

    Args:
        items: N: how many items it knows.
        max_length: L: longest history that it reads.
        config: Its shape.
        item: Their rows, N + 1 of them; fresh ones, see `new_rows`, when omitted.
    """

    def __init__(self, items: int, max_length: int, config: NetworkConfig, item: Table | None = None) -> None:
        super().__init__()
        self.items = items
        self.knows_times = config.knows_times
        self.max_length = max_length
        item = new_rows(items, config) if item is None else item
        self.embedding = Embedding(item, config)
        self.blocks = nn.ModuleList(BLOCKS[config.kind](config, max_length) for _ in range(config.blocks))
        self.head = Head(item)
        self.item = item
        self.apply(_initialise)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order; each takes what the one before returns, so the list can be cut anywhere."""
        return [self.embedding, *self.blocks, self.head]


def new_rows(items: int, config: NetworkConfig, seed: int = 0, make: Callable[..., Rows] = Rows) -> Rows:
    """Make fresh rows of items 1..``items``, after padding's, in a table that ``make`` makes."""
    return make(items + 1, config.width, std=INITIAL_STD, seed=seed)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=INITIAL_STD)
        nn.init.zeros_(module.bias)
