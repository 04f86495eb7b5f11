"""The network of histories: plain PyTorch, no logging.

Shape letters: B rows, L positions, D width, N items; E numbers of a state: D, or D + 1 with its
second. What is read is "met": int64 (B, L, 2), the number of an item, and the second when it was met; only differences
between seconds of a row count.

Padding (item 0) is on the right and attention looks only back, so no state ever depends on padding.

SASRec's blocks are those of `models.networks.transformer`, where places count as distances; HSTU's are in
`models.recommender.hstu`.

Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.network import LayeredNetwork
from models.networks.transformer import INITIAL_STD, Block, initialise
from models.recommender.config import DISTANCES, NetworkConfig
from models.recommender.former import DistanceBlock
from models.recommender.hstu import HstuBlock
from models.rows.files import Table
from models.rows.table import NOTHING, Rows


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
        self.apply(initialise)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order; each takes what the one before returns, so the list can be cut anywhere."""
        return [self.embedding, *self.blocks, self.head]


def new_rows(items: int, config: NetworkConfig, seed: int = 0, make: Callable[..., Rows] = Rows) -> Rows:
    """Make fresh rows of items 1..``items``, after padding's, in a table that ``make`` makes."""
    return make(items + 1, config.width, std=INITIAL_STD, seed=seed)
