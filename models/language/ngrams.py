"""What a network must beat: how often symbols followed the last few, counted.

Shape letters: T symbols, G different ones of a length.

Source: Witten and Bell, "The zero-frequency problem", 1991, interpolated as in Chen and Goodman, "An empirical study of
smoothing techniques for language modeling", 1998, section 2.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.language.symbols import BOUNDARY, UNKNOWN
from models.language.surprise import UNKNOWN_NATS, Floats, Symbols

MOST_SYMBOLS = 20_000_000
"""That are counted, the newest."""

Codes = NDArray[np.uint64]
Counts = NDArray[np.int64]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Level(NamedTuple):
    """Counts of one length.

    Attributes:
        code_G: Of the last few symbols and the one behind them, ascending.
        count_G: How often each came.
        context_C: Codes of the last few symbols, ascending.
        seen_C: How often each was followed by anything,
        kinds_C: and by how many different symbols.
    """

    code_G: Codes
    count_G: Counts
    context_C: Codes
    seen_C: Counts
    kinds_C: Counts


class NGrams:
    """Counts of symbols behind the last few, each length smoothed by the shorter one.

    Args:
        texts: To count; the newest last.
        order: Symbols that are looked at together, the predicted one among them.
        symbols: That there are; those with higher numbers came later, and are unknown ones.
    """

    def __init__(self, texts: Iterable[Symbols], order: int, symbols: int) -> None:
        self._order, self._symbols = order, symbols
        symbol_T, start_T = _joined([self._known(text) for text in texts], order)
        self._levels = [self._level(symbol_T, start_T, length) for length in range(order)]

    def _level(self, symbol_T: Symbols, start_T: NDArray[np.bool_], length: int) -> Level:
        context_T, code_T = _codes(symbol_T, length)
        context_T, code_T = context_T[~start_T], code_T[~start_T]
        code_G, first_G, count_G = np.unique(code_T, return_index=True, return_counts=True)
        context_C, place_G = np.unique(context_T[first_G], return_inverse=True)
        seen_C = np.bincount(place_G, weights=count_G, minlength=len(context_C)).astype(np.int64)
        return Level(code_G, count_G, context_C, seen_C, np.bincount(place_G, minlength=len(context_C)))

    def surprise(self, texts: Sequence[Symbols]) -> Floats:
        """Return the nats of each text, (texts,)."""
        return np.array([self._of_text(self._known(text)) for text in texts])

    def _known(self, text: Symbols) -> Symbols:
        return np.where(text < self._symbols, text, UNKNOWN).astype(np.int32)

    def _of_text(self, text: Symbols) -> float:
        symbol_T, start_T = _joined([text], self._order)
        chance_T = np.full(len(symbol_T), 1 / self._symbols)
        for length, level in enumerate(self._levels):
            context_T, code_T = _codes(symbol_T, length)
            seen_T = _found(level.context_C, level.seen_C, context_T)
            kinds_T = _found(level.context_C, level.kinds_C, context_T)
            count_T = _found(level.code_G, level.count_G, code_T)
            there_T = seen_T > 0
            smoothed_T = (count_T + kinds_T * chance_T) / np.maximum(seen_T + kinds_T, 1)
            chance_T = np.where(there_T, smoothed_T, chance_T)
        nats_T = -np.log(chance_T[~start_T])
        return float(nats_T.sum() + UNKNOWN_NATS * (text == UNKNOWN).sum())


def _joined(texts: Sequence[Symbols], order: int) -> tuple[Symbols, NDArray[np.bool_]]:
    """Put texts behind each other, each after as many boundaries as are looked at; say where these are."""
    kept, symbols = 0, 0
    while kept < len(texts) and symbols < MOST_SYMBOLS:
        kept += 1
        symbols += len(texts[-kept])
    framed = [np.concatenate([np.full(order - 1, BOUNDARY, np.int32), text]) for text in texts[len(texts) - kept :]]
    starts = [np.arange(len(each)) < order - 1 for each in framed]
    return np.concatenate([np.empty(0, np.int32), *framed]), np.concatenate([np.empty(0, np.bool_), *starts])


def _codes(symbol_T: Symbols, length: int) -> tuple[Codes, Codes]:
    """Return a number for the last few symbols before each place, and one for these and the symbol there."""
    with np.errstate(over="ignore"):
        context_T = np.zeros(len(symbol_T), np.uint64)
        for back in range(length, 0, -1):
            before_T = np.concatenate([np.zeros(min(back, len(symbol_T)), np.int32), symbol_T[:-back]])
            context_T = _mixed(context_T * _FACTOR + before_T.astype(np.uint64) + np.uint64(1))
        return context_T, _mixed(context_T * _FACTOR + symbol_T.astype(np.uint64) + np.uint64(1))


def _mixed(code_T: Codes) -> Codes:
    mixed_T: Codes = code_T ^ (code_T >> np.uint64(29))
    return mixed_T


def _found(known_G: Codes, value_G: Counts, code_T: Codes) -> Floats:
    """Return the value of each code, 0 of one that is not known."""
    if not len(known_G):
        return np.zeros(len(code_T))
    place_T = np.minimum(np.searchsorted(known_G, code_T), len(known_G) - 1)
    return np.where(known_G[place_T] == code_T, value_G[place_T], 0).astype(np.float64)
