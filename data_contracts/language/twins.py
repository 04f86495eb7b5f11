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
OF_A_BAND = 6
"""Numbers that two documents share in a band that says they are twins: likely where 8 of 10 shingles are the same."""

_random = np.random.default_rng(0)
FACTORS, ADDENDS = (_random.integers(0, 2**64, BANDS * OF_A_BAND, np.uint64) for _ in range(2))
FACTORS |= np.uint64(1)
POWERS = np.uint64(0x9E3779B97F4A7C15) ** np.arange(SHINGLE, dtype=np.uint64)
ODD = np.uint64(0xBF58476D1CE4E5B9)


def bands(text: bytes) -> NDArray[np.int64]:
    """Return numbers of a document, (BANDS,): one that has a number at the same place is most likely its twin.

    White space does not count.

    Args:
        text: UTF-8.
    """
    byte = np.frombuffer(b" ".join(text.split()).ljust(SHINGLE), np.uint8).astype(np.uint64)
    with np.errstate(over="ignore"):
        shingle_S = np.lib.stride_tricks.sliding_window_view(byte, SHINGLE) @ POWERS
        shingle_S ^= shingle_S >> np.uint64(29)
        least_K = np.array(
            [_least(shingle_S * factor + addend) for factor, addend in zip(FACTORS, ADDENDS, strict=True)]
        )
        joined = (least_K.reshape(BANDS, OF_A_BAND) * ODD ** np.arange(1, OF_A_BAND + 1, dtype=np.uint64)).sum(axis=1)
    found: NDArray[np.int64] = joined.view(np.int64)
    return found


def _least(drawn_S: NDArray[np.uint64]) -> np.uint64:
    mixed_S = (drawn_S ^ (drawn_S >> np.uint64(31))) * ODD
    least: np.uint64 = (mixed_S ^ (mixed_S >> np.uint64(32))).min()
    return least
