"""The network of texts: plain PyTorch. Shape letters: B rows, L positions, D width, V symbols.

Source: Radford et al., "Improving language understanding by generative pre-training", 2018, with places as distances.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.network import LayeredNetwork
from models.networks.config import TransformerConfig
from models.networks.transformer import INITIAL_STD, Block, initialise


class Reading(nn.Module):
    """From symbols to states."""

    def __init__(self, symbols: int, config: TransformerConfig) -> None:
        super().__init__()
        self.symbol = nn.Embedding(symbols, config.width)
        nn.init.normal_(self.symbol.weight, std=INITIAL_STD)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, symbol_BL: Tensor) -> Tensor:
        """Return float (B, L, D) for int64 (B, L)."""
        state_BLD: Tensor = self.dropout(self.symbol(symbol_BL))
        return state_BLD


class Saying(nn.Module):
    """From states to a number for each symbol that may come next."""

    def __init__(self, symbols: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.symbols = nn.Linear(width, symbols)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return logits, float (B, L, V)."""
        logit_BLV: Tensor = self.symbols(self.norm(state_BLD))
        return logit_BLV


class LanguageNetwork(LayeredNetwork):
    """Logits of the next symbol at each place, float (B, L, V), for symbols, int64 (B, L); it looks only back.

    Args:
        config: Its shape.
        context: L: longest row.
        symbols: V: that it knows.
    """

    def __init__(self, config: TransformerConfig, *, context: int, symbols: int) -> None:
        super().__init__()
        self.context = context
        self.reading = Reading(symbols, config)
        self.blocks = nn.ModuleList(Block(config, context) for _ in range(config.blocks))
        self.saying = Saying(symbols, config.width)
        self.apply(initialise)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order."""
        return [self.reading, *self.blocks, self.saying]
