"""The network of texts: plain PyTorch. Shape letters: B rows, L positions, D width, V symbols.

Source: Radford et al., "Improving language understanding by generative pre-training", 2018, with places as distances.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.network import LayeredNetwork
from models.networks.config import TransformerConfig
from models.networks.transformer import INITIAL_STD, Block, initialise

Past = list[Tensor]
"""Of each block keys and values of the places that were read, see `Block.further`."""


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

    def further(self, symbol_BL: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """Return logits of the symbol behind a row, float (B, V), and what is to be kept of it to read on.

        Args:
            symbol_BL: The row's last symbols, int64; all of them are at most `context`.
            past: Kept of those before, as the last call returned it; None at the beginning of a row.
        """
        state_BLD, kept = self.reading(symbol_BL), []
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            state_BLD, whole = block.further(state_BLD, past[number] if past else None)
            kept.append(whole)
        logit_BV: Tensor = self.saying(state_BLD[:, -1])
        return logit_BV, kept
