"""Documents that say nearly the same: found by a few numbers of each, whatever its script.

Shape letters: S shingles of a document, K numbers that are drawn for it.

Source: Broder, "On the resemblance and containment of documents", 1997 (MinHash); Leskovec, Rajaraman and Ullman,
"Mining of massive datasets", chapter 3 (bands).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.language.examples import BANDS

SHINGLE = 12
"""Bytes that are looked at together."""
OF_A_BAND = 5
"""Numbers that two documents share in a band that says they are twins: likely where 8 of 10 shingles are the same."""
_GAMMA, _FIRST, _SECOND, _MOST = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 2**64 - 1


def _drawn(number: int) -> int:
    """Return a number of 64 bits, always the same: SplitMix64, so that no library's generator moves bands."""
    mixed = number * _GAMMA & _MOST
    mixed = (mixed ^ mixed >> 30) * _FIRST & _MOST
    mixed = (mixed ^ mixed >> 27) * _SECOND & _MOST
    return mixed ^ mixed >> 31


NUMBERS = range(1, BANDS * OF_A_BAND + 1)
FACTORS = np.array([_drawn(2 * number) | 1 for number in NUMBERS], np.uint64)
ADDENDS = np.array([_drawn(2 * number + 1) for number in NUMBERS], np.uint64)
ODD = np.uint64(_FIRST)
with np.errstate(over="ignore"):
    POWERS = np.uint64(_GAMMA) ** np.arange(SHINGLE, dtype=np.uint64)
    PLACES = ODD ** np.arange(1, OF_A_BAND + 1, dtype=np.uint64)


def bands(text: bytes) -> NDArray[np.int64]:
    """Return numbers of a document, (BANDS,): one that has a number at the same place is most likely its twin.

    White space and capital letters do not count.

    Args:
        text: UTF-8.
    """
    said = " ".join(text.decode().casefold().split()).encode()
    byte = np.frombuffer(said.ljust(SHINGLE), np.uint8).astype(np.uint64)
    with np.errstate(over="ignore"):
        shingle_S = np.lib.stride_tricks.sliding_window_view(byte, SHINGLE) @ POWERS
        shingle_S ^= shingle_S >> np.uint64(29)
        drawn = zip(FACTORS, ADDENDS, strict=True)
        least_K = np.array([_least(shingle_S * factor + addend) for factor, addend in drawn])
        found: NDArray[np.int64] = (least_K.reshape(BANDS, OF_A_BAND) * PLACES).sum(axis=1).view(np.int64)
    return found


def _least(drawn_S: NDArray[np.uint64]) -> np.uint64:
    mixed_S = (drawn_S ^ (drawn_S >> np.uint64(31))) * ODD
    least: np.uint64 = (mixed_S ^ (mixed_S >> np.uint64(32))).min()
    return least
