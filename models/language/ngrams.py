"""What a network must beat: how often symbols followed the last few, counted.

Texts are counted some at a time, and what was counted is put together, so that there may be many. Shape letters: T
symbols, G different ones of a length.

Source: Witten and Bell, "The zero-frequency problem", 1991, interpolated as in Chen and Goodman, "An empirical study of
smoothing techniques for language modeling", 1998, section 2.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.language.symbols import BOUNDARY, UNKNOWN
from models.language.surprise import UNKNOWN_NATS, Floats, Symbols

SYMBOLS_AT_ONCE = 1_000_000
"""Whose texts are counted together."""

Codes = NDArray[np.uint64]
Counts = NDArray[np.int64]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Counted(NamedTuple):
    """How often some came.

    Attributes:
        code_G: Of the last few symbols and the one behind them, ascending.
        context_G: Of the last few symbols alone.
        count_G: How often each came.
    """

    code_G: Codes
    context_G: Codes
    count_G: Counts


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
        texts: To count; each is asked for once.
        order: Symbols that are looked at together, the predicted one among them.
        symbols: That there are; those with higher numbers came later, and are unknown ones.
    """

    def __init__(self, texts: Iterable[Symbols], order: int, symbols: int) -> None:
        self._order, self._symbols = order, symbols
        counted = [Counted(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64))] * order
        for some in _some_at_a_time(map(self._known, texts)):
            symbol_T, start_T = _joined(some, order)
            counted = [_more(before, symbol_T, start_T, length) for length, before in enumerate(counted)]
        self._levels = list(map(_level, counted))

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


def _some_at_a_time(texts: Iterable[Symbols]) -> Iterator[list[Symbols]]:
    some: list[Symbols] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= SYMBOLS_AT_ONCE:
            yield some
            some, size = [], 0
    yield some


def _more(before: Counted, symbol_T: Symbols, start_T: NDArray[np.bool_], length: int) -> Counted:
    """Add to what was counted what came in some more texts."""
    context_T, code_T = _codes(symbol_T, length)
    own_G, first_G, count_G = np.unique(code_T[~start_T], return_index=True, return_counts=True)
    context_2 = np.concatenate([before.context_G, context_T[~start_T][first_G]])
    code_G, first_G, place_2 = np.unique(np.concatenate([before.code_G, own_G]), return_index=True, return_inverse=True)
    sums_G = np.zeros(len(code_G), np.int64)
    np.add.at(sums_G, place_2, np.concatenate([before.count_G, count_G]))
    return Counted(code_G, context_2[first_G], sums_G)


def _level(counted: Counted) -> Level:
    context_C, place_G = np.unique(counted.context_G, return_inverse=True)
    kinds_C, seen_C = np.bincount(place_G, minlength=len(context_C)), np.zeros(len(context_C), np.int64)
    np.add.at(seen_C, place_G, counted.count_G)
    return Level(counted.code_G, counted.count_G, context_C, seen_C, kinds_C)


def _joined(texts: Sequence[Symbols], order: int) -> tuple[Symbols, NDArray[np.bool_]]:
    """Put texts behind each other, each after as many boundaries as are looked at; say where these are."""
    framed = [np.concatenate([np.full(order - 1, BOUNDARY, np.int32), text]) for text in texts]
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
