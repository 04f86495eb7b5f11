"""Pictures that show the same, scaled or written anew perhaps: found by a few numbers of each.

Shape letters: H, W, C pixels, R rows and L columns of a small copy, K bits, N and P pictures, B bands.

Source: difference hash (dHash), Krawetz, "Kind of like that", 2013; bands, Leskovec, Rajaraman and Ullman, "Mining of
massive datasets", chapter 3.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from data_contracts.vision.examples import BANDS
from data_contracts.vision.pictures import Pixels

BITS_OF_A_BAND = 16
"""So a picture has 256: whether it grows brighter, at each place of the 17 columns and 16 rows of a small copy."""
BRIGHTER = 2
"""Levels of 255 by which it must: less may be noise."""
FEW_BITS = 16
"""A picture is nearly flat where fewer bits are set, or not set; its bits are then a checksum of its pixels."""
TWIN_BITS = 7
"""Bits in which twins differ, at most. Below `BANDS` / 2, so that a pair of bands is always the same."""
TWIN_LEVELS = 2
"""Levels of 255 by which the brightness of any sixteenth of twins differs, at most."""
UNKNOWN = -1
"""Instead of the bands of a picture whose bands nobody knows: it is nobody's twin."""

Bands = NDArray[np.int64]

_BITS = (1 << BITS_OF_A_BAND) - 1
_ROW, _COLUMN = np.arange(BANDS), (np.arange(BANDS)[:, None] + np.arange(BITS_OF_A_BAND)) % BITS_OF_A_BAND
"""Which bits a band has: one of every row and of every column, for frames are the same in many pictures."""


def bands(pixels_HWC: Pixels) -> Bands:
    """Return numbers of a picture, (BANDS,): 16 of its 256 bits each, below how bright one sixteenth of it is.

    Of two pictures that differ in at most 15 bits one band at least has the same bits: there are 16 bands, and each
    bit is in one. All is computed in whole numbers: the same picture has the same bands on every machine.

    Args:
        pixels_HWC: uint8, of the size that all pictures are made to.
    """
    height, width, channels = pixels_HWC.shape
    grey_HW = pixels_HWC.astype(np.float64) @ np.ones(channels)  # whole numbers all the way, far below 2**53
    small_RL = _shares(height, BANDS) @ grey_HW @ _shares(width, BITS_OF_A_BAND + 1).T
    level = channels * height * width  # what one of 255 adds to a number of the small copy
    brighter_RL = np.diff(small_RL, axis=1) > BRIGHTER * level
    bit_BK = brighter_RL[_ROW, _COLUMN]
    found_B: Bands = bit_BK @ (1 << np.arange(BITS_OF_A_BAND))
    if min(bit_BK.sum(), bit_BK.size - bit_BK.sum()) < FEW_BITS:
        digest = blake2b(pixels_HWC.tobytes(), digest_size=bit_BK.size // 8).digest()
        found_B = np.frombuffer(digest, "<u2").astype(np.int64)
    bright_B = np.round(small_RL.sum(axis=1) / (level * small_RL.shape[1])).astype(np.int64)
    found_B |= bright_B << BITS_OF_A_BAND
    return found_B


def keys(band_NB: Bands) -> Bands:
    """Return numbers, (N, BANDS / 2), of which twins share one at the same place: the bits of two bands each.

    Twins differ in fewer bits than there are such numbers.
    """
    bit_NB = band_NB & _BITS
    found_NK: Bands = bit_NB[:, ::2] << BITS_OF_A_BAND | bit_NB[:, 1::2]
    return found_NK


def are_twins(one_PB: Bands, other_PB: Bands) -> NDArray[np.bool_]:
    """Say of pairs of pictures whether they show the same, (P,)."""
    bits_P = np.bitwise_count((one_PB ^ other_PB) & _BITS).sum(axis=1)
    levels_P = np.abs((one_PB >> BITS_OF_A_BAND) - (other_PB >> BITS_OF_A_BAND)).max(axis=1)
    same: NDArray[np.bool_] = (bits_P <= TWIN_BITS) & (levels_P <= TWIN_LEVELS) & (one_PB[:, 0] != UNKNOWN)
    return same


@lru_cache
def _shares(pixels: int, parts: int) -> NDArray[np.float64]:
    """Return how much of each pixel of a line is in each of equal parts of it, (parts, pixels): whole numbers.

    A pixel is as long as there are parts.
    """
    end, edge = np.arange(parts + 1) * pixels, np.arange(pixels + 1) * parts
    begins, ends = np.maximum(end[:-1, None], edge[:-1]), np.minimum(end[1:, None], edge[1:])
    shares: NDArray[np.float64] = np.maximum(ends - begins, 0).astype(np.float64)
    return shares
